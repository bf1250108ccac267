import { useState } from "react";
import { Amount } from "../../ui/Amount";
import { percent, tokens } from "../../ui/numbers";
import { Select } from "../../ui/Select";
import { Slider } from "../../ui/Slider";
import { cheatCost, dialPosition, DIAL_PPM, escapeChance, replayedAt, surchargeAt, wrongCounts } from "./assurance";
import type { TermsProps } from "./terms";
import { type Quote, taskPriceOf } from "./quote";

/** Stakes that can be asked for, in prices of an average task. */
const STAKES: readonly number[] = [0, 10, 100, 300, 1_000];

/** How sure: the dial, and what it means in numbers. */
export function AssuranceDial({ quote, terms, onTerms }: TermsProps) {
  const [position, setPosition] = useState(dialPosition(terms.floorPpm));
  const floor = DIAL_PPM[position] ?? terms.floorPpm;
  return (
    <div className="stack">
      <div className="columns">
        <div className="stack-tight">
          <Slider
            label="Assurance: least share of tasks replayed"
            shown={percent(floor)}
            minValue={0}
            maxValue={DIAL_PPM.length - 1}
            step={1}
            value={position}
            onChange={setPosition}
            onChangeEnd={(end) => onTerms({ floorPpm: DIAL_PPM[end] ?? floor })}
          />
          <p className="small soft">
            Which tasks are replayed is drawn only after the results are committed on the chain.
          </p>
        </div>
        <StakeChoice quote={quote} terms={terms} onTerms={onTerms} />
      </div>
      <AssuranceFacts quote={quote} floor={floor} minStake={terms.minStake} />
    </div>
  );
}

function StakeChoice({ quote, terms, onTerms }: TermsProps) {
  const price = taskPriceOf(quote);
  const options = STAKES.map((times) => ({
    id: String(times),
    name:
      times === 0
        ? "Any device"
        : `${times.toLocaleString("en-US")} x a task's price: ${tokens(price * BigInt(times))}`,
  }));
  const times = STAKES.findLast((count) => terms.minStake > 0n && price * BigInt(count) <= terms.minStake) ?? 0;
  return (
    <div className="stack-tight">
      <Select
        label="Stake that a device must have"
        value={String(times)}
        onChange={(count) => onTerms({ minStake: price * BigInt(count) })}
        options={options}
      />
      <p className="small soft">More stake, fewer devices. Devices without stake are replayed in full.</p>
    </div>
  );
}

function AssuranceFacts({ quote, floor, minStake }: { quote: Quote; floor: number; minStake: bigint }) {
  const cost = cheatCost(quote, floor, minStake);
  const rate = replayedAt(quote, floor);
  const more = surchargeAt(quote, floor);
  return (
    <>
      <dl className="quote-numbers">
        <div>
          <dt>Replayed</dt>
          <dd>about {percent(rate)}</dd>
          <dd className="small soft">stakes may ask for more than your floor</dd>
        </div>
        <div>
          <dt>Adds to the price</dt>
          <dd>
            <Amount wei={more} />
          </dd>
        </div>
        <div>
          <dt>A cheat that is found loses</dt>
          <dd>
            {minStake > 0n ? "at least" : "about"} <Amount wei={cost.stake} />
          </dd>
          <dd className="small soft">
            its whole stake{minStake > 0n ? "" : ", as high as these devices have on average"}, and all pay that it has
            not claimed
          </dd>
        </div>
        <div>
          <dt>A wrong result costs on average</dt>
          <dd>{cost.timesPay.toFixed(cost.timesPay < 10 ? 1 : 0)} x its pay</dd>
          <dd className="small soft">
            <Amount wei={cost.perResult} />, by the odds of being found
          </dd>
        </div>
      </dl>
      <div className="stack-tight">
        <h3>The chance that wrong results all escape</h3>
        <ul className="escapes">
          {wrongCounts(quote.tasks).map((wrong) => (
            <li key={wrong}>
              <strong className="number">{chance(escapeChance(floor, wrong))}</strong>
              <span className="small soft">
                if {wrong} {wrong === 1 ? "result is" : "results are"} wrong: (1 - p)<sup>{wrong}</sup>
              </span>
            </li>
          ))}
        </ul>
        <p className="small soft">
          p is your floor, {percent(floor)}; where stakes ask for more, less escapes. At 100 % every task is replayed;
          below it, checking deters cheats and does not certify each result.
        </p>
      </div>
    </>
  );
}

/** "99 %", "0.004 %", "none". */
const chance = (share: number): string =>
  share === 0 ? "none" : `${Number((share * 100).toPrecision(share > 0.1 ? 3 : 2))} %`;
