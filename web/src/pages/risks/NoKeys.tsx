import { useQuery } from "@tanstack/react-query";
import { messageOf } from "../../api/problem";
import { clientOf, useChain } from "../../chain/client";
import type { Network } from "../../network/network";
import { Hash } from "../../ui/Hash";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { DOORS, foundIn } from "./code";

/** Looks in every contract's code for what would let somebody change it. */
export function NoKeys() {
  const network = useChain()?.network;
  const { data, error } = useQuery({
    queryKey: ["code", network?.rpc],
    enabled: network !== undefined,
    staleTime: Infinity,
    queryFn: async () => {
      if (!network) throw new Error("The network is not known yet.");
      return lookInto(network);
    },
  });
  if (error)
    return (
      <Notice tone="bad" title="The code cannot be read">
        {messageOf(error).split("\n")[0]}
      </Notice>
    );
  if (!data) return <Spinner label="Reading the contracts' code" />;
  const suspects = data.filter(({ bytes, found }) => bytes === 0 || found.length > 0);
  return (
    <Notice tone={suspects.length > 0 ? "bad" : "good"}>
      {suspects.length === 0 ? (
        <p>
          This page has read the code of {data.length} contracts from the chain: none can run other code as its own or
          vanish (delegatecall, callcode, selfdestruct), and none has a function of the usual kinds for an owner, a
          pause, an upgrade or new tokens ({DOORS.map((door) => door.replace(/\(.*/, "")).join(", ")}).
        </p>
      ) : (
        <ul>
          {suspects.map(({ name, address, bytes, found }) => (
            <li key={name}>
              {name} <Hash value={address} name={`address of ${name}`} />{" "}
              {bytes === 0 ? "is not there" : `has ${found.join(", ")}`}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}

async function lookInto(network: Network) {
  const client = clientOf(network);
  return Promise.all(
    Object.entries(network.addresses).map(async ([name, address]) => {
      const code = (await client.getCode({ address })) ?? "0x";
      return { name, address, bytes: code.length / 2 - 1, found: foundIn(code) };
    }),
  );
}
