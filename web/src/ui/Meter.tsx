import { Label, Meter as AriaMeter } from "react-aria-components";
import "./Meter.css";

/** How much of a whole is used; `text` says it in words. `share` from 0 to 1. */
export function Meter({ label, share, text }: { label: string; share: number; text: string }) {
  const percentage = Math.min(100, Math.max(0, share * 100));
  return (
    <AriaMeter className="meter" value={percentage} valueLabel={text}>
      <div className="row spread">
        <Label>{label}</Label>
        <span className="number soft">{text}</span>
      </div>
      <div className="meter-track">
        <div className="meter-fill" style={{ width: `${percentage}%` }} />
      </div>
    </AriaMeter>
  );
}
