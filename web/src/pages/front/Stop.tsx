import type { ReactNode } from "react";
import { type Point, seeds } from "./shape";
import type { Station, Told } from "./stations";

const NAMES: Record<Station["key"], string> = {
  bid: "Bid",
  devices: "Devices",
  epoch: "Epoch",
  draw: "Draw",
  paid: "Paid",
};

/** The most dots of the devices' sign. */
const DOTS_MAX = 37;

/** One station: its sign on the ribbon, its number and lines. The same is told in words beside the picture. */
export function Stop({
  station,
  at: { x, y },
  devices,
  standing,
}: {
  station: Station;
  at: Point;
  devices: number;
  standing: boolean;
}) {
  const left = standing ? x + 38 : x - 22;
  const { name, value, unit, lines } = standing ? STANDING : LYING;
  return (
    <g aria-hidden="true">
      <g transform={`translate(${x} ${y})`}>
        <circle className="stop" r={22} />
        {signOf(station.key, devices)}
      </g>
      <text className="stop-name" x={left} y={y + name}>
        {NAMES[station.key]}
      </text>
      <text className="stop-value" x={left} y={y + value}>
        {station.value}
      </text>
      <Line told={station.unit} x={left} y={y + unit} className="stop-unit" />
      {station.lines.map((told, index) => (
        <Line key={index} told={told} x={left} y={y + lines + index * 21} className="stop-line" />
      ))}
    </g>
  );
}

/** Offsets from the sign's middle. */
const LYING = { name: -34, value: 62, unit: 86, lines: 108 };
const STANDING = { name: -18, value: 9, unit: 30, lines: 50 };

/** A text with the mark of its source before it. */
export function Line({ told, x, y, className }: { told: Told; x: number; y: number; className: string }) {
  return (
    <>
      <circle className={`source source-${told.source}`} cx={x + 5} cy={y - 5} r={4} />
      <text className={className} x={x + 16} y={y}>
        {told.text}
      </text>
    </>
  );
}

function signOf(key: Station["key"], devices: number): ReactNode {
  switch (key) {
    case "bid":
      return <path className="sign" d="M-8 -6H8M-8 0H8M-8 6H2" />;
    case "devices":
      if (devices === 0) return <circle className="sign" r={4} />;
      return seeds(Math.min(devices, DOTS_MAX), devices > 12 ? 3 : 5.4).map(({ x, y }, index) => (
        <circle key={index} className="seed" cx={x} cy={y} r={devices > 12 ? 1.9 : 3} />
      ));
    case "epoch":
      return <path className="sign" d="M-8 -8H-1V-1H-8ZM2 -8H9V-1H2ZM-8 2H-1V9H-8ZM2 2H9V9H2Z" />;
    case "draw":
      return (
        <path
          className="sign"
          d="M-7 -10H7Q10 -10 10 -7V7Q10 10 7 10H-7Q-10 10 -10 7V-7Q-10 -10 -7 -10ZM-4 -4H-3.9M4 -4H4.1M0 0H0.1M-4 4H-3.9M4 4H4.1"
        />
      );
    case "paid":
      return <path className="sign" d="M-9 1L-3 7L9 -6" />;
  }
}
