import { useState } from "react";
import { ABIS } from "../../chain/contracts";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { tokens } from "../../ui/numbers";
import { TextField } from "../../ui/TextField";
import { ActionNotice, useSend } from "../../wallet";
import type { DeviceView } from "./devices";
import { amountOrReason, explainChange, unbondingAt } from "./stake";
import { Explanation } from "./StakeMore";
import type { OwnerView } from "./useOwner";

type Props = { view: OwnerView; device: DeviceView; price: bigint };

/** Asks stake back, counts down while it is unbonding, and takes it out when that is over. */
export function Unstake({ view, device, price }: Props) {
  return (
    <div className="stack-tight">
      <h3>Take stake back</h3>
      <Unbonding view={view} device={device} />
      {device.stake === 0n && device.unbonding === 0n ? <p className="soft">There is no stake to take back.</p> : null}
      <AskBack view={view} device={device} price={price} />
    </div>
  );
}

function Unbonding({ view, device }: Omit<Props, "price">) {
  const send = useSend();
  const unbonding = unbondingAt(device.unbonding, device.unbondsAt, view.now);
  const run = () =>
    send.run({
      address: view.network.addresses.StakeVault,
      abi: ABIS.StakeVault,
      functionName: "withdrawStake",
      args: [device.address],
      what: "Take the stake out",
    });
  return (
    <>
      {unbonding ? <p>{unbonding.text}.</p> : null}
      {unbonding || send.busy ? (
        <div>
          <Button
            kind={unbonding?.isOver ? "primary" : "plain"}
            busy={send.busy}
            isDisabled={(!unbonding?.isOver || device.openGames > 0) && !send.busy}
            onPress={() => void run()}
          >
            Take it out
          </Button>
        </div>
      ) : null}
      <ActionNotice action={send} onRetry={() => void run()} />
      {send.state.step === "done" ? <Notice tone="good">The stake is in your wallet.</Notice> : null}
    </>
  );
}

function AskBack({ view, device, price }: Props) {
  const [text, setText] = useState("");
  const send = useSend();
  const found = amountOrReason(text, device.stake, "this device's stake");
  const wei = "wei" in found ? found.wei : null;
  const run = async () => {
    if (wei === null) return;
    const call = { address: view.network.addresses.StakeVault, abi: ABIS.StakeVault } as const;
    const args = [device.address, wei] as const;
    if (await send.run({ ...call, functionName: "requestUnstake", args, what: "Ask the stake back" })) setText("");
  };
  if (device.stake === 0n && !send.busy) return null;
  return (
    <form
      className="stack-tight"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <TextField
        label="MANY to ask back"
        error={text && "reason" in found ? found.reason : null}
        inputMode="decimal"
        value={text}
        onChange={setText}
      />
      {wei === null ? null : (
        <Explanation lines={explainChange(device.stake, device.stake - wei, price, view.minimumStake)} />
      )}
      {wei !== null && device.unbonding > 0n ? (
        <Notice tone="warn">
          <p>What is unbonding already starts its time again with this.</p>
        </Notice>
      ) : null}
      <div className="row">
        <Button type="submit" busy={send.busy} isDisabled={wei === null && !send.busy}>
          Ask it back
        </Button>
        <Button kind="quiet" onPress={() => setText(tokens(device.stake, 18))}>
          All of it
        </Button>
      </div>
      <ActionNotice action={send} onRetry={() => void run()} />
    </form>
  );
}
