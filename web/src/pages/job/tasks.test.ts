import { expect, test } from "vitest";
import type { LiveEvent } from "../../api/live";
import { lineOf } from "./story";
import { cellsOf, countsOf, fold, newTasks, rangesOf, stateOf, type Tasks } from "./tasks";
import { deliveryOf, throughputOf } from "./throughput";

let lastId = 0;
const event = (type: string, tasks: unknown, more: Record<string, unknown> = {}): LiveEvent => ({
  id: ++lastId,
  type,
  data: { at: 1000, device: "0xaa", epoch: 1, tasks, ...more },
});

const folded = (count: number, ...events: LiveEvent[]): Tasks => {
  const tasks = newTasks(count);
  for (const one of events) fold(tasks, one);
  return tasks;
};
const states = (tasks: Tasks) => Array.from(tasks.states, (_, task) => stateOf(tasks, task));

test.each([null, "x", [[0, 9]], [[-1, 1]], [[2, 2]], [[0.5, 1]], [[0]], [0, 1]])(
  "rangesOf malformed %j is nothing",
  (tasks) => {
    expect(rangesOf(event("span.leased", tasks), 8)).toEqual([]);
  },
);

test("fold of unknown events changes nothing", () => {
  expect(states(folded(2, event("span.sideways", [[0, 2]]), event("job.opened", [[0, 2]])))).toEqual(["open", "open"]);
});

test("fold goes through the states of a task", () => {
  const steps = ["leased", "accepted", "committed", "final"] as const;
  const tasks = newTasks(1);
  for (const step of steps) {
    fold(tasks, event(`span.${step}`, [[0, 1]]));
    expect(stateOf(tasks, 0)).toBe(step);
  }
});

test("fold of a draw makes the leaf's other tasks undrawn and leaves other leaves alone", () => {
  const tasks = folded(
    4,
    event("span.committed", [[0, 3]]),
    event("span.committed", [[3, 4]], { device: "0xbb" }),
    event("span.drawn", [[1, 2]]),
  );
  expect(states(tasks)).toEqual(["undrawn", "drawn", "undrawn", "committed"]);
});

test("fold of a draw in two events keeps what the first drew", () => {
  const tasks = folded(
    3,
    event("span.committed", [[0, 3]]),
    event("span.drawn", [[0, 1]]),
    event("span.drawn", [[2, 3]]),
  );
  expect(states(tasks)).toEqual(["drawn", "undrawn", "drawn"]);
});

test("fold of a draw of nothing makes all undrawn", () => {
  expect(states(folded(2, event("span.committed", [[0, 2]]), event("span.drawn", [])))).toEqual(["undrawn", "undrawn"]);
});

test("fold keeps the marks of attested and drawn in a final task", () => {
  const tasks = folded(
    2,
    event("span.committed", [[0, 2]]),
    event("span.drawn", [[0, 1]]),
    event("span.attested", [[0, 2]]),
    event("span.final", [[0, 2]]),
  );
  expect(countsOf(tasks)).toMatchObject({ final: 2, attested: 2, replayed: 1 });
});

test("fold of a voided task that is open again forgets its marks", () => {
  const tasks = folded(
    1,
    event("span.committed", [[0, 1]]),
    event("span.drawn", [[0, 1]]),
    event("span.voided", [[0, 1]]),
    event("span.open", [[0, 1]]),
  );
  expect(countsOf(tasks)).toMatchObject({ open: 1, attested: 0, replayed: 0 });
});

test("fold after a reorganisation draws again", () => {
  const tasks = folded(
    2,
    event("span.committed", [[0, 2]]),
    event("span.drawn", [[0, 1]]),
    event("span.accepted", [[0, 2]], { reorganised: true }),
    event("span.committed", [[0, 2]]),
  );
  expect(states(tasks)).toEqual(["committed", "committed"]);
  fold(tasks, event("span.drawn", [[1, 2]]));
  expect(states(tasks)).toEqual(["undrawn", "drawn"]);
});

test("cellsOf shows each task where they fit", () => {
  expect(cellsOf(folded(3, event("span.leased", [[1, 2]])), 10)).toEqual(["open", "leased", "open"]);
});

test("cellsOf gathers neighbours, a voided one first, else the least far", () => {
  const tasks = folded(
    6,
    event("span.final", [[0, 4]]),
    event("span.leased", [[1, 2]]),
    event("span.voided", [[5, 6]]),
  );
  expect(cellsOf(tasks, 3)).toEqual(["leased", "final", "voided"]);
});

test("deliveryOf tells what devices delivered and nothing told again", () => {
  expect(deliveryOf(event("span.accepted", [[0, 3]], { lease: 1 }), 5)).toEqual({ at: 1000, tasks: 3 });
  expect(deliveryOf(event("span.accepted", [[0, 3]], { reorganised: true }), 5)).toBeNull();
  expect(deliveryOf(event("span.final", [[0, 3]], { lease: 1 }), 5)).toBeNull();
});

test("throughputOf nothing is empty", () => {
  expect(throughputOf([])).toEqual({ times: [], rates: [], stepSeconds: 1 });
});

test("throughputOf shares deliveries into steps, silent ones too", () => {
  expect(
    throughputOf([
      { at: 10, tasks: 4 },
      { at: 10.5, tasks: 2 },
      { at: 12, tasks: 1 },
    ]),
  ).toEqual({
    times: [10, 11, 12],
    rates: [6, 0, 1],
    stepSeconds: 1,
  });
});

test("throughputOf long jobs keeps to so many points and loses no task", () => {
  const deliveries = Array.from({ length: 500 }, (_, index) => ({ at: 7 * index, tasks: 2 }));
  const { rates, stepSeconds } = throughputOf(deliveries, 60);
  expect(rates.length).toBeLessThanOrEqual(61);
  expect(rates.reduce((sum, rate) => sum + rate * stepSeconds, 0)).toBeCloseTo(1000);
});

test("lineOf says what happened to how many tasks", () => {
  expect(lineOf(event("span.voided", [[0, 2]]), 4)).toMatchObject({
    tone: "bad",
    text: expect.stringMatching(/^2 tasks voided/),
  });
  expect(lineOf(event("span.accepted", [[0, 1]], { reorganised: true }), 4).text).toMatch(
    /^1 task .*took its last blocks back/,
  );
  expect(lineOf(event("something.new", []), 4).text).toBe("something.new");
});
