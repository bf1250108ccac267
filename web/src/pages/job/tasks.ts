import type { LiveEvent } from "../../api/live";

/** States of tasks in the order in which work goes through them; `voided` is taken back. */
export const TASK_STATES = ["open", "leased", "accepted", "committed", "undrawn", "drawn", "final", "voided"] as const;

/** Where a task stands. */
export type TaskState = (typeof TASK_STATES)[number];

/** All tasks of a job, folded from its events. Not changed in place but by `fold`, on its own copy. */
export type Tasks = {
  /** Index into TASK_STATES, by task. */
  readonly states: Uint8Array;
  /** 1 where every drawn seat agreed with the task's leaf. */
  readonly attested: Uint8Array;
  /** 1 where the task was drawn to be replayed. */
  readonly drawn: Uint8Array;
  /** The leaf (device and epoch) that committed it; 0 for none. */
  readonly leaves: Uint32Array;
  /** Numbers of leaves by "device epoch". */
  readonly leafNumbers: Map<string, number>;
  /** Leaves whose draw was told. */
  readonly told: Set<number>;
};

const CODE = Object.fromEntries(TASK_STATES.map((state, index) => [state, index])) as Record<TaskState, number>;
/** Events of spans that name a task's state as it is. */
const PLAIN: ReadonlySet<string> = new Set(["open", "leased", "accepted", "committed", "final", "voided"]);

/** All tasks open. */
export const newTasks = (count: number): Tasks => ({
  states: new Uint8Array(count),
  attested: new Uint8Array(count),
  drawn: new Uint8Array(count),
  leaves: new Uint32Array(count),
  leafNumbers: new Map(),
  told: new Set(),
});

/** A copy that may be folded into. */
export const copyOf = (tasks: Tasks): Tasks => ({
  states: tasks.states.slice(),
  attested: tasks.attested.slice(),
  drawn: tasks.drawn.slice(),
  leaves: tasks.leaves.slice(),
  leafNumbers: new Map(tasks.leafNumbers),
  told: new Set(tasks.told),
});

/** Half-open ranges of tasks that an event names, within the job; what is malformed is left out. */
export function rangesOf(event: LiveEvent, count: number): [number, number][] {
  const told = event.data.tasks;
  if (!Array.isArray(told)) return [];
  return told.filter(
    (pair): pair is [number, number] =>
      Array.isArray(pair) &&
      pair.length === 2 &&
      pair.every(Number.isInteger) &&
      0 <= pair[0] &&
      pair[0] < pair[1] &&
      pair[1] <= count,
  );
}

/** How many tasks an event names. */
export const tasksIn = (event: LiveEvent, count: number): number =>
  rangesOf(event, count).reduce((sum, [first, after]) => sum + after - first, 0);

/** Puts an event of the job (docs/api.md, "Events") into the tasks. Other events change nothing. */
export function fold(tasks: Tasks, event: LiveEvent): void {
  if (!event.type.startsWith("span.")) return;
  const state = event.type.slice("span.".length);
  const ranges = rangesOf(event, tasks.states.length);
  if (PLAIN.has(state)) for (const range of ranges) settle(tasks, state as TaskState, range, event);
  else if (state === "attested") for (const [first, after] of ranges) tasks.attested.fill(1, first, after);
  else if (state === "drawn") draw(tasks, ranges, event);
}

function settle(tasks: Tasks, state: TaskState, [first, after]: [number, number], event: LiveEvent) {
  const isLater = state === "final";
  if (!isLater) {
    tasks.attested.fill(0, first, after);
    tasks.drawn.fill(0, first, after);
    tasks.leaves.fill(state === "committed" ? leafOf(tasks, event) : 0, first, after);
  }
  if (state === "committed") tasks.told.delete(leafOf(tasks, event));
  tasks.states.fill(CODE[state], first, after);
}

/** The leaf's tasks are undrawn, but for those named; a leaf's draw may come in several events. */
function draw(tasks: Tasks, ranges: readonly [number, number][], event: LiveEvent) {
  const leaf = leafOf(tasks, event);
  if (!tasks.told.has(leaf)) {
    tasks.told.add(leaf);
    for (let task = 0; task < tasks.states.length; task++)
      if (tasks.leaves[task] === leaf && tasks.states[task] === CODE.committed) tasks.states[task] = CODE.undrawn;
  }
  for (const [first, after] of ranges) {
    tasks.drawn.fill(1, first, after);
    for (let task = first; task < after; task++)
      if (tasks.states[task] === CODE.undrawn || tasks.states[task] === CODE.committed) tasks.states[task] = CODE.drawn;
  }
}

function leafOf(tasks: Tasks, event: LiveEvent): number {
  const key = `${event.data.device} ${event.data.epoch}`;
  const known = tasks.leafNumbers.get(key);
  if (known !== undefined) return known;
  const number = tasks.leafNumbers.size + 1;
  tasks.leafNumbers.set(key, number);
  return number;
}

/** The state of one task. */
export const stateOf = (tasks: Tasks, task: number): TaskState => TASK_STATES[tasks.states[task] ?? 0] ?? "open";

/** How many tasks are in each state; `attested` and `replayed` count among those committed or final. */
export type TaskCounts = Record<TaskState, number> & { attested: number; replayed: number };

/** Counts the tasks. */
export function countsOf(tasks: Tasks): TaskCounts {
  const counts = Object.fromEntries([...TASK_STATES, "attested", "replayed"].map((name) => [name, 0])) as TaskCounts;
  tasks.states.forEach((code, task) => {
    const state = TASK_STATES[code];
    if (state) counts[state]++;
    if (tasks.attested[task]) {
      counts.attested++;
      if (tasks.drawn[task]) counts.replayed++;
    }
  });
  return counts;
}

/** Neighbouring tasks as one cell of a map with at most `cells` cells: a voided one shows, else the one least far. */
export function cellsOf(tasks: Tasks, cells: number): TaskState[] {
  const count = tasks.states.length;
  const size = Math.max(1, Math.ceil(count / cells));
  return Array.from({ length: Math.ceil(count / size) }, (_, cell) => {
    let least: number = CODE.voided;
    for (let task = cell * size; task < Math.min(count, (cell + 1) * size); task++) {
      const code = tasks.states[task] ?? 0;
      if (code === CODE.voided) return "voided";
      least = Math.min(least, code);
    }
    return TASK_STATES[least] ?? "open";
  });
}

/** Puts a task as the results tell it into the tasks: for jobs whose events are gone. */
export function putResult(
  tasks: Tasks,
  result: { task: number; state: string; attested: boolean; drawn: boolean | null },
): void {
  const code = CODE[result.state as TaskState];
  if (code === undefined || result.task >= tasks.states.length) return;
  tasks.states[result.task] = code;
  tasks.attested[result.task] = result.attested ? 1 : 0;
  tasks.drawn[result.task] = result.drawn ? 1 : 0;
}
