import { tokens } from "../../ui/numbers";
import { type Shape, sideBySide } from "./shape";
import { Line } from "./Stop";
import type { FromChain } from "./useFront";
import "./held.css";

const OF: Record<string, string> = {
  JobEscrow: "for jobs and owners",
  StakeVault: "staked by devices",
  Seats: "in seats and settlers' bonds",
};

/** What the contracts hold, side by side at the ribbon's end. */
export function Held({
  held,
  place: { x, y, width },
  standing,
}: {
  held: FromChain["held"];
  place: Shape["held"];
  standing: boolean;
}) {
  const total = held?.reduce((sum, { wei }) => sum + wei, 0n) ?? 0n;
  const parts = sideBySide(
    (held ?? []).map(({ wei }) => wei),
    width,
  );
  const text = held ? `Contracts hold ${tokens(total, 3)} MANY` : "What contracts hold: not read yet";
  return (
    <g>
      <Line told={{ text, source: "chain" }} x={x + 28} y={y - 14} className="caption" />
      <clipPath id="held-bar">
        <rect x={x} y={y} width={width} height={16} rx={8} />
      </clipPath>
      <g clipPath="url(#held-bar)" aria-hidden="true">
        <rect className="held-track" x={x} y={y} width={width} height={16} />
        {parts.map((part, index) => (
          <rect key={index} className={`held-${index}`} x={x + part.x} y={y} width={part.width} height={16} />
        ))}
      </g>
      {(held ?? []).map(({ name, wei }, index) => {
        const at = standing ? { x: x + 4, y: y + 40 + index * 22 } : { x: x + 4 + index * 362, y: y + 42 };
        return (
          <g key={name}>
            <rect className={`held-${index}`} x={at.x} y={at.y - 10} width={10} height={10} rx={2} />
            <text className="stop-line" x={at.x + 18} y={at.y}>
              {tokens(wei, 3)} {OF[name]}
            </text>
          </g>
        );
      })}
    </g>
  );
}
