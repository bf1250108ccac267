import { useEffect, useRef, useState } from "react";
import { work } from "../../ui/numbers";
import { areaOf, type Depth, type Step, ticksOf } from "./depth";

const HALF = 124;
const NAME = 22;
const AXIS = 26;

/** Supply above the axis of prices, demand below it. `median` in MANY for a GWU. The tables below say the same. */
export function DepthChart({ depth, median }: { depth: Depth; median: number | null }) {
  const [place, width] = useWidth();
  return (
    <figure className="depth" ref={place}>
      {width > 0 ? <Drawing depth={depth} median={median} width={width} /> : null}
    </figure>
  );
}

function Drawing({ depth, median, width }: { depth: Depth; median: number | null; width: number }) {
  const { low, high, supply, demand } = depth;
  const [supplyMost, demandMost] = [mostOf(supply), mostOf(demand)];
  const x = (price: number) => round(((price - low) / (high - low)) * width);
  const [above, below] = [sideHeight(supplyMost), sideHeight(demandMost)];
  const height = above + AXIS + below;
  const up = (value: number) => round(above - (value / supplyMost) * HALF);
  const down = (value: number) => round(above + AXIS + (value / demandMost) * HALF);
  const summary = `Depth: devices offer up to ${speed(supplyMost)}, jobs want up to ${work(whole(demandMost))}, at prices from ${low.toPrecision(3)} to ${high.toPrecision(3)} MANY for a GWU.`;
  return (
    <svg width={width} height={height} role="img" aria-label={summary}>
      {supplyMost > 0 ? <path className="depth-supply" d={areaOf(supply, high, x, up)} /> : null}
      {demandMost > 0 ? <path className="depth-demand" d={areaOf(demand, high, x, down)} /> : null}
      {ticksOf(low, high, Math.max(2, Math.floor(width / 80))).map((price) => (
        <text
          key={price}
          x={x(price)}
          y={above + AXIS / 2 + 5}
          textAnchor={x(price) < 24 ? "start" : x(price) > width - 24 ? "end" : "middle"}
        >
          {price}
        </text>
      ))}
      {median === null ? null : <Median x={x(median)} base={above} />}
      <text className="depth-name" x={0} y={14}>
        {supplyMost > 0 ? `Offered: ${speed(supplyMost)}` : "Nothing is offered"}
      </text>
      <text className="depth-name" x={0} y={height - 4}>
        {demandMost > 0 ? `Wanted: at most ${work(whole(demandMost))}` : "Nothing is wanted"}
      </text>
    </svg>
  );
}

/** Its name stands on the left, where supply is low; where it does not fit, the words above the drawing must do. */
function Median({ x, base }: { x: number; base: number }) {
  return (
    <>
      <path className="depth-median" d={`M${x} 24V${base}`} />
      {x > 84 ? (
        <text x={x - 6} y={38} textAnchor="end">
          median ask
        </text>
      ) : null}
    </>
  );
}

/** A side that has nothing takes no more than its name. */
const sideHeight = (most: number): number => NAME + (most > 0 ? HALF : 0);

const mostOf = (steps: readonly Step[]): number => Math.max(0, ...steps.map(({ value }) => value));
const whole = (value: number): bigint => BigInt(Math.floor(value));
const speed = (wuPerSecond: number): string => `${work(whole(wuPerSecond))} a second`;
const round = (value: number): number => Math.round(value * 10) / 10;

/** The width of a place in the page, as it changes; 0 until it is known. */
function useWidth() {
  const place = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => setWidth(element.clientWidth));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  return [place, width] as const;
}
