import type { Address } from "viem";
import { Amount, Work } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { percent } from "../../ui/numbers";
import { DeviceName, HealthBadge, StakeNote } from "./deviceParts";
import { type DeviceView, failuresOf } from "./devices";
import { effectOf } from "./stake";
import type { OwnerView } from "./useOwner";

/** The owner's devices as cards, for narrow screens. */
export function DeviceCards({ view, onStake }: { view: OwnerView; onStake: (device: Address) => void }) {
  return (
    <ul className="earn-cards">
      {view.devices.map((device) => (
        <li key={device.address} className="card stack-tight">
          <DeviceName device={device} />
          <HealthBadge device={device} now={view.now} />
          <Facts view={view} device={device} />
          <div>
            <Button aria-label={`Stake of ${device.address}`} onPress={() => onStake(device.address)}>
              Stake…
            </Button>
          </div>
        </li>
      ))}
    </ul>
  );
}

function Facts({ view, device }: { view: OwnerView; device: DeviceView }) {
  const { market } = device;
  const price = BigInt(market?.averageTaskWei ?? 0);
  return (
    <dl className="earn-facts small">
      <dt>Stake</dt>
      <dd>
        <Amount wei={device.stake} />
        {price > 0n ? `, ${percent(effectOf(device.stake, price, view.minimumStake).replayedPpm)} replayed` : ""}{" "}
        <StakeNote device={device} now={view.now} />
      </dd>
      <dt>Not final</dt>
      <dd>
        <Amount wei={BigInt(market?.unfinalWei ?? 0)} />
      </dd>
      <dt>Done</dt>
      <dd>
        {(market?.tasksDone ?? 0).toLocaleString("en-US")} tasks, <Work wu={BigInt(market?.wuDone ?? 0)} />
      </dd>
      <dt>Failures</dt>
      <dd>{failuresOf(market)}</dd>
      <dt>Asks</dt>
      <dd>{market?.askedWeiPerGWU ? <Amount wei={BigInt(market.askedWeiPerGWU)} /> : "nothing yet"}</dd>
    </dl>
  );
}
