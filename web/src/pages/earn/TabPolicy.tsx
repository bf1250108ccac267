import { useState } from "react";
import type { BrowserDevice, DeviceSnapshot } from "../../device";
import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { tokens } from "../../ui/numbers";
import { Slider } from "../../ui/Slider";
import { Switch } from "../../ui/Switch";
import { TextField } from "../../ui/TextField";
import { weiOf } from "../../ui/numbers";

/** How much of the machine the tab may take, when it pauses, and the least price that it works for. */
export function TabPolicy({ it, device }: { it: DeviceSnapshot; device: BrowserDevice }) {
  const { policy } = it;
  return (
    <details className="earn-policy">
      <summary>Limits and price</summary>
      <div className="stack">
        <Slider
          label="Limit on the processor"
          value={policy.cpuPercent}
          minValue={10}
          maxValue={100}
          step={10}
          shown={`${policy.cpuPercent} % of each Web Worker's time`}
          onChange={(cpuPercent) => device.setPolicy({ cpuPercent })}
        />
        {it.cores > 1 ? (
          <Slider
            label="Web Workers"
            value={policy.workers}
            minValue={1}
            maxValue={it.cores}
            step={1}
            shown={`${policy.workers} of ${it.cores}`}
            onChange={(workers) => device.setPolicy({ workers })}
          />
        ) : (
          <p className="small soft">This browser tells of one processor: one Web Worker runs.</p>
        )}
        {it.batteryKnown ? (
          <Switch
            isSelected={policy.pauseOnBattery}
            onChange={(pauseOnBattery) => device.setPolicy({ pauseOnBattery })}
          >
            Pause on battery
          </Switch>
        ) : (
          <p className="small soft">This browser does not tell about a battery: it cannot pause for one.</p>
        )}
        <Switch
          isSelected={policy.pauseWhenHidden}
          onChange={(pauseWhenHidden) => device.setPolicy({ pauseWhenHidden })}
        >
          Pause when this tab is not in front
        </Switch>
        <AskingPrice it={it} device={device} />
      </div>
    </details>
  );
}

function AskingPrice({ it: { policy, ask }, device }: { it: DeviceSnapshot; device: BrowserDevice }) {
  const asked = policy.minPriceWeiPerGWU;
  const [text, setText] = useState(asked === null ? "" : tokens(asked, 18));
  const wei = text.trim() === "" ? null : weiOf(text);
  const isWrong = text.trim() !== "" && wei === null;
  return (
    <form
      className="stack-tight"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isWrong) device.setPolicy({ minPriceWeiPerGWU: wei });
      }}
    >
      <TextField
        label="Least price, MANY for 10⁹ WU"
        hint="Empty: the middle of what other devices ask."
        error={isWrong ? "An amount like 0.6, with at most 18 decimals." : null}
        inputMode="decimal"
        value={text}
        onChange={setText}
      />
      <div className="row">
        <Button type="submit" isDisabled={isWrong || wei === asked}>
          Ask this price
        </Button>
        {ask === null ? null : (
          <span className="small soft">
            Asked now: <Amount wei={ask} />
          </span>
        )}
      </div>
    </form>
  );
}
