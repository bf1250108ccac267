// Signs the messages of tests/vectors/messages.json with viem and prints what viem says of each, as JSON.
// Types come from the vectors' type strings, so a wrong string gives a wrong hash here.
import { readFileSync } from "node:fs";
import { hashDomain, hashStruct, hashTypedData, keccak256, recoverTypedDataAddress, stringToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { verifyingContract, chainId } = vectors.domain;
const domain = { name: "Multitude", version: "1", chainId: BigInt(chainId), verifyingContract };
const domainFields = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];
const types = Object.fromEntries(
  vectors.types.map(({ type, typeString }) => [
    type,
    typeString.slice(type.length + 1, -1).split(",").map((field) => {
      const [kind, name] = field.split(" ");
      return { name, type: kind };
    }),
  ]),
);

const cases = [];
for (const { type, message, key, signature } of vectors.cases) {
  const account = privateKeyToAccount(key);
  const data = { domain, types: { [type]: types[type] }, primaryType: type, message };
  cases.push({
    structHash: hashStruct({ data: message, primaryType: type, types }),
    digest: hashTypedData(data),
    signer: account.address,
    signature: await account.signTypedData(data),
    recovered: await recoverTypedDataAddress({ ...data, signature }),
  });
}
const typeHashes = vectors.types.map(({ typeString }) => keccak256(stringToBytes(typeString)));
const separator = hashDomain({ domain, types: { EIP712Domain: domainFields } });
console.log(JSON.stringify({ separator, typeHashes, cases }));
