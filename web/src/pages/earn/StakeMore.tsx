import { useState } from "react";
import { clientOf } from "../../chain/client";
import { ABIS } from "../../chain/contracts";
import { viewsAt } from "../../chain/views";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { tokens } from "../../ui/numbers";
import { TextField } from "../../ui/TextField";
import { ActionNotice, DripButton, useSend } from "../../wallet";
import type { DeviceView } from "./devices";
import { amountOrReason, explainChange } from "./stake";
import type { OwnerView } from "./useOwner";

type Props = { view: OwnerView; device: DeviceView; price: bigint };

/** Puts more of the owner's tokens behind a device, after saying what that changes. */
export function StakeMore({ view, device, price }: Props) {
  const [text, setText] = useState("");
  const { send, busy, stake } = useStake(view, device);
  const found = amountOrReason(text, view.inWallet, "your wallet holds");
  const wei = "wei" in found ? found.wei : null;
  const run = async () => {
    if (wei !== null && (await stake(wei))) setText("");
  };
  return (
    <form
      className="stack-tight"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <h3>Stake more</h3>
      <TextField
        label="MANY to stake"
        hint={`Your wallet holds ${tokens(view.inWallet)} MANY.`}
        error={text && "reason" in found ? found.reason : null}
        inputMode="decimal"
        value={text}
        onChange={(next) => {
          setText(next);
          send.reset();
        }}
      />
      {wei === null ? null : (
        <Explanation lines={explainChange(device.stake, device.stake + wei, price, view.minimumStake)} />
      )}
      <div className="row">
        <Button type="submit" kind="primary" busy={busy} isDisabled={wei === null && !busy}>
          Stake
        </Button>
        {view.inWallet === 0n ? <DripButton /> : null}
      </div>
      <ActionNotice action={send} onRetry={() => void run()} />
      {send.state.step === "done" && !busy ? <Notice tone="good">It counts from the next block on.</Notice> : null}
    </form>
  );
}

/** What a change of stake does, line by line. */
export const Explanation = ({ lines }: { lines: string[] }) => (
  <ul className="small">
    {lines.map((line) => (
      <li key={line}>{line}</li>
    ))}
  </ul>
);

/** Allows the vault the amount where it is not allowed yet, then stakes: the vault takes no permit. */
function useStake(view: OwnerView, device: DeviceView) {
  const send = useSend();
  const [busy, setBusy] = useState(false);
  const { network } = view;
  const { StakeVault: vault, MultitudeToken: token } = network.addresses;
  const stake = async (wei: bigint) => {
    setBusy(true);
    try {
      const allowed = await viewsAt(clientOf(network), network)("MultitudeToken", "allowance", [
        view.owner,
        vault,
      ]).catch(() => 0n);
      const approval = { address: token, abi: ABIS.MultitudeToken, functionName: "approve" } as const;
      const what = "Allow the vault to take it (1 of 2)";
      if (allowed < wei && !(await send.run({ ...approval, args: [vault, wei], what }))) return false;
      const call = { address: vault, abi: ABIS.StakeVault, functionName: "stake" } as const;
      const last = allowed < wei ? "Stake it (2 of 2)" : "Stake it";
      return (await send.run({ ...call, args: [device.address, wei], what: last })) !== null;
    } finally {
      setBusy(false);
    }
  };
  return { send, busy, stake };
}
