import { Link } from "wouter";
import { browserDevice } from "../../device";
import { Badge } from "../../ui/Badge";
import { Hash } from "../../ui/Hash";
import { type DeviceView, healthOf } from "./devices";
import { unbondingAt } from "./stake";
import { hasAgreed } from "./tab";

/** A device's address, with a word where it is this tab's. */
export function DeviceName({ device }: { device: DeviceView }) {
  const isThisTab = hasAgreed() && browserDevice().snapshot().device === device.address;
  return (
    <span className="row earn-name">
      <Hash value={device.address} name="device's address" />
      {isThisTab ? <Badge tone="info">this tab</Badge> : null}
    </span>
  );
}

/** A device's health: the word, and a sentence with the job in hand. */
export function HealthBadge({ device, now }: { device: DeviceView; now: number }) {
  const health = healthOf(device, now);
  const inHand = device.market?.health === "working" ? device.market.inHand : null;
  return (
    <div className="stack-tight earn-health">
      <div>
        <Badge tone={health.tone}>{health.word}</Badge>
      </div>
      <span className="soft">
        {health.text} {inHand ? <Link href={`/jobs/${inHand.jobId}`}>Its job</Link> : null}
      </span>
    </div>
  );
}

/** What is unbonding of a device's stake, with its countdown. */
export function StakeNote({ device, now }: { device: DeviceView; now: number }) {
  const unbonding = unbondingAt(device.unbonding, device.unbondsAt, now);
  return unbonding ? <span className="soft">{unbonding.text}</span> : null;
}
