import { duration, percent, tokens } from "../../ui/numbers";
import { Amount } from "../../ui/Amount";
import { Dialog } from "../../ui/Dialog";
import { Hash } from "../../ui/Hash";
import { Meter } from "../../ui/Meter";
import { Notice } from "../../ui/Notice";
import type { DeviceView } from "./devices";
import { ladderOf, stakeRefusal, targetStake } from "./stake";
import { StakeMore } from "./StakeMore";
import { Unstake } from "./Unstake";
import type { OwnerView } from "./useOwner";

/** A device's stake: what it is, what it buys, more of it, and back again. */
export function StakeDialog({ view, device, onClose }: { view: OwnerView; device: DeviceView; onClose: () => void }) {
  const price = BigInt(device.market?.averageTaskWei ?? 0);
  const refusal = stakeRefusal(device);
  return (
    <Dialog title="Stake of a device" isOpen onClose={onClose}>
      <p>
        <Hash value={device.address} name="device's address" />
      </p>
      <dl className="facts">
        <dt>At stake now</dt>
        <dd>
          <Amount wei={device.stake} />
        </dd>
        <dt>Least that counts</dt>
        <dd>
          <Amount wei={view.minimumStake} />: below it stake counts as none
        </dd>
      </dl>
      {price > 0n ? <Target stake={device.stake} target={targetStake(price)} /> : null}
      <Ladder price={price} minimum={view.minimumStake} />
      <p className="small">
        Stake is at risk: if this device signs a wrong result and is convicted, all of it is taken, unbonding stake too.
        A fault of the machine (a bit flip, overclocking) costs stake like a lie.
      </p>
      {refusal ? (
        <Notice tone={device.convicted ? "bad" : "warn"}>
          <p>{refusal}</p>
        </Notice>
      ) : null}
      {device.convicted ? null : (
        <>
          <StakeMore view={view} device={device} price={price} />
          <Unstake view={view} device={device} price={price} />
          <p className="small soft">
            Stake that is asked back waits {duration(view.network.clocks.unbonding ?? 0)} and can be taken until then.
          </p>
        </>
      )}
    </Dialog>
  );
}

const Target = ({ stake, target }: { stake: bigint; target: bigint }) => (
  <Meter
    label="Towards the stake from which on no pay is bonded"
    share={Number((stake * 1000n) / target) / 1000}
    text={`${tokens(stake)} of ${tokens(target)} MANY`}
  />
);

/** What stake buys at this device's average task price. */
function Ladder({ price, minimum }: { price: bigint; minimum: bigint }) {
  if (price === 0n) {
    return (
      <p className="small soft">
        This device has no accepted task yet, so its average task price is not known. At 300 task prices of stake 1.5 %
        of its tasks are replayed, at 100 it is 4.4 %, below 4.5 every one.
      </p>
    );
  }
  return (
    <table className="table">
      <caption className="small soft earn-caption">
        What stake buys at this device&apos;s average task of {tokens(price)} MANY
      </caption>
      <thead>
        <tr>
          <th scope="col">Stake</th>
          <th scope="col">Tasks replayed</th>
          <th scope="col">Of the pay, for that</th>
        </tr>
      </thead>
      <tbody>
        {ladderOf(price, minimum).map(({ stake, replayedPpm, deductedPpm }) => (
          <tr key={stake.toString()}>
            <td>
              <Amount wei={stake} />
            </td>
            <td>{percent(replayedPpm)}</td>
            <td>{percent(deductedPpm)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
