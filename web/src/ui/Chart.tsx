import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./Chart.css";

/** One line of a chart: its name and its values, in step with the chart's x values; null where there is none. */
export type Line = { name: string; values: (number | null)[]; stepped?: boolean };

const COLOURS = ["--accent", "--info", "--warn", "--bad"];
const HEIGHT = 220;

/**
 * Lines over time (Unix seconds) or over numbers. Load it lazily: it brings uPlot. `summary` says in words what it shows.
 */
export function Chart({
  x,
  lines,
  summary,
  time = true,
}: {
  x: number[];
  lines: Line[];
  summary: string;
  time?: boolean;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = lines.map((line) => `${line.name} ${line.stepped ?? false}`).join("|");
  useEffect(() => {
    const root = place.current;
    if (!root) return;
    const made = new uPlot(optionsOf(root, lines, time), dataOf(x, lines), root);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: root.clientWidth, height: HEIGHT }));
    resized.observe(root);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The lines' values are given below, without making the chart anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, time]);
  useEffect(() => plot.current?.setData(dataOf(x, lines)), [x, lines]);
  return <div ref={place} className="chart" role="img" aria-label={summary} />;
}

const dataOf = (x: number[], lines: Line[]): uPlot.AlignedData => [x, ...lines.map((line) => line.values)];

function optionsOf(root: HTMLElement, lines: Line[], time: boolean): uPlot.Options {
  const style = getComputedStyle(root);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--text-soft"), grid: { stroke: colour("--line"), width: 1 } };
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  return {
    width: root.clientWidth,
    height: HEIGHT,
    scales: { x: { time } },
    axes: [axis, { ...axis, size: 64 }],
    series: [
      {},
      ...lines.map((line, index) => ({
        label: line.name,
        stroke: colour(COLOURS[index % COLOURS.length] ?? "--accent"),
        width: 2,
        points: { show: false },
        ...(line.stepped && stepped ? { paths: stepped } : {}),
      })),
    ],
  };
}
