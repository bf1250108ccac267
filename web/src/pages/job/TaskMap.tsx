import { useEffect, useRef } from "react";
import { cellsOf, TASK_STATES, type TaskState, type Tasks } from "./tasks";

const CELLS_MAX = 2_400;
const CELL_MAX_PX = 18;
const CELL_MIN_PX = 5;
const GAP_PX = 1;

/** One square for each task, or for a few neighbours where there are many; the legend beside it says it in words. */
export function TaskMap({ tasks }: { tasks: Tasks }) {
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const count = tasks.states.length;
  useEffect(() => {
    const root = place.current;
    if (!root) return;
    const show = () => {
      if (canvas.current) draw(canvas.current, root.clientWidth, cellsOf(tasks, CELLS_MAX));
    };
    show();
    const resized = new ResizeObserver(show);
    resized.observe(root);
    const themed = new MutationObserver(show);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      resized.disconnect();
      themed.disconnect();
    };
  }, [tasks]);
  const together = Math.ceil(count / CELLS_MAX);
  return (
    <div ref={place}>
      <canvas ref={canvas} className="task-map" aria-hidden="true" />
      {together > 1 ? (
        <p className="small soft">Each square is {together} tasks; the least advanced of them shows.</p>
      ) : null}
    </div>
  );
}

/** Colours of the states as the page's style has them; a probe for each, as a changed one would still be in transition. */
function coloursOf(root: HTMLElement): Record<TaskState, string> {
  const found = TASK_STATES.map((state) => {
    const probe = document.createElement("i");
    probe.className = `state-${state} state-probe`;
    root.append(probe);
    const colour = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return [state, colour];
  });
  return Object.fromEntries(found) as Record<TaskState, string>;
}

function draw(canvas: HTMLCanvasElement, width: number, cells: TaskState[]) {
  const pen = canvas.getContext("2d");
  if (!pen || width === 0 || !canvas.parentElement) return;
  const fitting = Math.floor(Math.sqrt((width * 160) / Math.max(1, cells.length)));
  const size = Math.min(CELL_MAX_PX, Math.max(CELL_MIN_PX, fitting));
  const columns = Math.max(1, Math.floor(width / size));
  const height = Math.ceil(cells.length / columns) * size;
  const scale = window.devicePixelRatio;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  pen.scale(scale, scale);
  const colours = coloursOf(canvas.parentElement);
  cells.forEach((state, index) => {
    pen.fillStyle = colours[state];
    pen.fillRect((index % columns) * size, Math.floor(index / columns) * size, size - GAP_PX, size - GAP_PX);
  });
}
