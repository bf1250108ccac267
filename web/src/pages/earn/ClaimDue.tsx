import { useState } from "react";
import { messageOf } from "../../api/problem";
import { clientOf } from "../../chain/client";
import { ABIS } from "../../chain/contracts";
import { viewsAt } from "../../chain/views";
import { tokens } from "../../ui/numbers";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { ActionNotice, useSend, walletMessage } from "../../wallet";
import { type Claim, claimArguments, claimsOf, getBlob } from "./claim";
import type { OwnerView } from "./useOwner";

/** What is final and not claimed. Markets push claims themselves; where one does not, anybody may, and this does. */
export function ClaimDue({ view }: { view: OwnerView }) {
  const { send, claim, busy, refused } = useClaim(view);
  const { due } = view.earnings;
  if (due === 0n && !busy && refused.length === 0) return null;
  return (
    <div className="stack-tight">
      <p>
        {tokens(due)} MANY is final and not claimed. The market claims it by itself as soon as the chain would take it;
        you may do it too. It takes the chain&apos;s own coin. The rest after deduction and bonding is credited to you.
      </p>
      <div>
        <Button busy={busy} onPress={() => void claim()}>
          Claim it now
        </Button>
      </div>
      <ActionNotice action={send} />
      {refused.length > 0 ? (
        <Notice tone="warn" title="Not claimed">
          <ul>
            {refused.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </Notice>
      ) : null}
    </div>
  );
}

function useClaim(view: OwnerView) {
  const send = useSend();
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<string[]>([]);
  const claim = async () => {
    setBusy(true);
    setRefused([]);
    try {
      const { passing, reasons } = await dueClaims(view);
      setRefused(reasons);
      for (const { args, epochId } of passing) {
        const request = { address: view.network.addresses.EpochLedger, abi: ABIS.EpochLedger } as const;
        const done = await send.run({ ...request, functionName: "claim", args, what: `Claim from epoch ${epochId}` });
        if (!done) return;
      }
    } catch (error) {
      setRefused([messageOf(error)]);
    } finally {
      setBusy(false);
    }
  };
  return { send, claim, busy, refused };
}

type Arguments = Awaited<ReturnType<typeof claimArguments>>;

/** The claims that would pass now: an entry's leaves together, else one by one, so that none holds up another. */
async function dueClaims(view: OwnerView) {
  const epochs = new Set(
    view.earnings.items.flatMap(({ kind, epoch }) => (kind === "due" && epoch !== null ? [epoch] : [])),
  );
  const mine = new Set<string>(view.devices.map((device) => device.address));
  const passing: { args: Arguments; epochId: bigint }[] = [];
  const reasons: string[] = [];
  for (const epochId of epochs) {
    for (const whole of await claimsOf(view.log, epochId, mine, getBlob)) {
      const found = await tried(view, whole);
      if ("args" in found) passing.push({ args: found.args, epochId });
      else if (whole.leaves.length === 1) reasons.push(`Epoch ${epochId}: ${found.reason}`);
      else {
        for (const leaf of whole.leaves) {
          const alone = await tried(view, { ...whole, leaves: [leaf] });
          if ("args" in alone) passing.push({ args: alone.args, epochId });
          else reasons.push(`Epoch ${epochId}, leaf ${leaf.number}: ${alone.reason}`);
        }
      }
    }
  }
  return { passing, reasons };
}

async function tried(view: OwnerView, claim: Claim): Promise<{ args: Arguments } | { reason: string }> {
  const client = clientOf(view.network);
  const args = await claimArguments(viewsAt(client, view.network), view.log, claim);
  try {
    const call = { address: view.network.addresses.EpochLedger, abi: ABIS.EpochLedger } as const;
    await client.simulateContract({ ...call, functionName: "claim", args, account: view.owner });
    return { args };
  } catch (error) {
    return { reason: walletMessage(error).text };
  }
}
