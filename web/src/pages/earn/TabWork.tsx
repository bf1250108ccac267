import { Link } from "wouter";
import type { DeviceSnapshot } from "../../device";
import { Amount, Work } from "../../ui/Amount";
import { Hash } from "../../ui/Hash";
import { Meter } from "../../ui/Meter";
import { Notice } from "../../ui/Notice";
import { useAccount } from "../../wallet";
import { benchmarkText } from "./tab";

/** What this tab's device does now, how fast it is, and what it has earned so far. */
export function TabWork({ it }: { it: DeviceSnapshot }) {
  const account = useAccount();
  const measured = benchmarkText(it);
  return (
    <>
      {account.status === "connected" && it.owner !== account.address ? (
        <Notice tone="warn">
          <p>
            This device belongs to <Hash value={it.owner ?? ""} name="owner's address" />: its pay goes there, not to
            the connected account.
          </p>
        </Notice>
      ) : null}
      <InHand it={it} />
      {measured ? <p className="small">{measured}</p> : null}
      <dl className="facts">
        <dt>Device</dt>
        <dd>
          <Hash value={it.device ?? ""} name="device's address" />
        </dd>
        <dt>Done so far</dt>
        <dd>
          {it.tasksDone.toLocaleString("en-US")} tasks, <Work wu={it.wu} />, worth <Amount wei={it.accepted} />
        </dd>
        <Earned it={it} />
      </dl>
    </>
  );
}

function InHand({ it: { lease } }: { it: DeviceSnapshot }) {
  if (!lease) return null;
  return (
    <div className="stack-tight">
      <Meter
        label="Work in hand"
        share={lease.tasks === 0 ? 0 : lease.tasksDone / lease.tasks}
        text={`task ${Math.min(lease.tasksDone + 1, lease.tasks)} of ${lease.tasks}`}
      />
      <p className="small">
        <Link href={`/jobs/${lease.jobId}`}>Its job</Link> <Hash value={lease.jobId} name="job's id" />, at{" "}
        <Amount wei={lease.priceWeiPerGWU} /> for 10⁹ WU
      </p>
    </div>
  );
}

function Earned({ it: { earned } }: { it: DeviceSnapshot }) {
  if (!earned) return null;
  return (
    <>
      <dt>Earned</dt>
      <dd>
        <Amount wei={earned.pending} /> pending, <Amount wei={earned.bonded} /> bonded, <Amount wei={earned.paid} />{" "}
        paid
      </dd>
      <dt>At stake</dt>
      <dd>
        <Amount wei={earned.stake} />
      </dd>
    </>
  );
}
