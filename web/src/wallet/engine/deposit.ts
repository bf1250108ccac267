import { getConnection, signTypedData } from "@wagmi/core";
import type { TransactionReceipt } from "viem";
import { JobEscrow } from "../../generated/JobEscrow";
import { MultitudeToken } from "../../generated/MultitudeToken";
import { tokens } from "../../ui/numbers";
import { isRefusedWith, type Problem, WalletError, walletMessage } from "../messages";
import type { Flow, Report } from "../store";
import { partsOfPermit, type Permit, permitTypedData } from "./permit";
import { send } from "./send";
import type { Parts } from "./start";

const PERMIT_SECONDS = 3600n;

/** What a wallet says that cannot sign typed data: then an allowance does. A person's "no" is not among them. */
const CANNOT_SIGN: readonly Problem[] = ["unknown", "reverted"];

/**
 * Moves `amount` token wei from the wallet to the escrow: on a permit in one transaction; where the wallet cannot sign
 * one, or it is refused (used by somebody else first, say), by approve and deposit.
 */
export async function deposit(parts: Parts, flow: Flow, amount: bigint, report: Report): Promise<TransactionReceipt> {
  const { network } = parts;
  const what = `Deposit ${tokens(amount)} MANY`;
  const escrow = { address: network.addresses.JobEscrow, abi: JobEscrow };
  const plain = { ...escrow, functionName: "deposit", args: [amount], what };

  report({ step: "asking", what });
  const { balance, allowance, nonce } = await flow.during(holdings(parts, flow));
  if (balance < amount) {
    throw new WalletError("no-tokens", `The wallet holds ${tokens(balance)} MANY, the deposit is ${tokens(amount)}.`);
  }
  if (allowance >= amount) return send(parts, flow, plain, report);

  const signed = await signPermit(parts, flow, amount, nonce, report);
  if (signed) {
    const { deadline, v, r, s } = signed;
    try {
      const args = [amount, deadline, v, r, s];
      return await send(parts, flow, { ...escrow, functionName: "depositWithPermit", args, what }, report);
    } catch (error) {
      if (!isRefusedWith(error, "JobEscrow_AllowanceTooLow")) throw error;
    }
  }
  await send(parts, flow, approvalOf(parts, amount), report);
  flow.check();
  return send(parts, flow, { ...plain, what: `Step 2 of 2: ${what}` }, report);
}

function approvalOf({ network: { addresses } }: Parts, amount: bigint) {
  const what = `Step 1 of 2: Allow the escrow to take ${tokens(amount)} MANY`;
  const args = [addresses.JobEscrow, amount];
  return { address: addresses.MultitudeToken, abi: MultitudeToken, functionName: "approve", args, what };
}

async function holdings({ network, client }: Parts, { address }: Flow) {
  const token = { address: network.addresses.MultitudeToken, abi: MultitudeToken } as const;
  const [balance, allowance, nonce] = await Promise.all([
    client.readContract({ ...token, functionName: "balanceOf", args: [address] }),
    client.readContract({ ...token, functionName: "allowance", args: [address, network.addresses.JobEscrow] }),
    client.readContract({ ...token, functionName: "nonces", args: [address] }),
  ]);
  return { balance, allowance, nonce };
}

/** The signed permit, or null where this wallet cannot sign one. */
async function signPermit(
  { config, network, client }: Parts,
  flow: Flow,
  value: bigint,
  nonce: bigint,
  report: Report,
) {
  const { timestamp } = await flow.during(client.getBlock());
  const permit: Permit = {
    chainId: network.chainId,
    token: network.addresses.MultitudeToken,
    owner: flow.address,
    spender: network.addresses.JobEscrow,
    value,
    nonce,
    deadline: timestamp + PERMIT_SECONDS,
  };
  report({ step: "asking", what: `Permit the deposit of ${tokens(value)} MANY` });
  try {
    const { connector } = getConnection(config);
    const asked = signTypedData(config, { ...permitTypedData(permit), account: flow.address, connector });
    const signed = await partsOfPermit(permit, await flow.during(asked));
    return signed ? { ...signed, deadline: permit.deadline } : null;
  } catch (error) {
    if (CANNOT_SIGN.includes(walletMessage(error).problem)) return null;
    throw error;
  }
}
