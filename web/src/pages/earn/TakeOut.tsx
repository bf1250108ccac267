import { tokens } from "../../ui/numbers";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { ActionNotice, useWithdraw } from "../../wallet";

/** Takes what claims credited out of the escrow, and nothing of what the owner deposited there as a buyer. */
export function TakeOut({ credited }: { credited: bigint }) {
  const withdraw = useWithdraw();
  return (
    <div className="stack-tight">
      <div>
        <Button
          kind="primary"
          busy={withdraw.busy}
          isDisabled={credited === 0n && !withdraw.busy}
          onPress={() => void withdraw.run(credited)}
        >
          {credited === 0n ? "Nothing to take out" : `Take out ${tokens(credited)} MANY`}
        </Button>
      </div>
      <ActionNotice action={withdraw} onRetry={() => void withdraw.run(credited)} />
      {withdraw.state.step === "done" ? <Notice tone="good">It is in your wallet.</Notice> : null}
    </div>
  );
}
