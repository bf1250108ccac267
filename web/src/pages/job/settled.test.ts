import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { ProblemError } from "../../api/problem";
import { jobOf } from "../../audit/facts";
import { world } from "../../audit/world";
import { encodeEpochData, type Hex, jobIdOf, parseEpochData, Receipt } from "../../protocol";
import { bundledSettled, bundledTold, resultsJson } from "./bundle";
import { ResultsInvalid, type SettledEpoch, settledTasks } from "./settled";
import { type Answer, type Ask, type Thread, verifyAside } from "./verification";
import { Verifying } from "./verifying";

/** A recorded epoch as a buyer's page reads it; `data` takes the place of the epoch's blob. */
function recorded(change: Partial<SettledEpoch> = {}, data?: Uint8Array) {
  const { facts, held, raw, domain } = world("honest");
  const entry = parseEpochData(raw).entries[0];
  if (!entry) throw new Error("no entry");
  const { head } = facts.posted.args;
  const feePpm = jobOf(facts.log, jobIdOf(entry.bid))?.feePpm ?? 0;
  const receipts = entry.leaves.map((leaf) => Receipt.structHash(leaf.receipt));
  const epoch: SettledEpoch = { epoch: 1n, dataId: head.dataId, entries: head.entries, receipts, ...change };
  const fetch = (id: Hex) => {
    const blob = id === head.dataId ? (data ?? raw) : held.get(id);
    return blob ? Promise.resolve(blob) : Promise.reject(new Error(`no blob ${id}`));
  };
  const job = { bid: entry.bid, feePpm, domain };
  return { entry, raw, job, epoch, fetch, run: () => settledTasks(job, [epoch], fetch) };
}

/** A thread that runs beside this test; `isEnded` once it was ended. */
function threadBeside() {
  const heard = new Map<string, (event: MessageEvent<Answer>) => void>();
  const copied = (data: Answer) => ({ data: structuredClone(data) }) as MessageEvent<Answer>;
  const verifying = new Verifying((answer) => setTimeout(() => heard.get("message")?.(copied(answer))));
  return {
    isEnded: false,
    postMessage: (ask: Ask) => void verifying.hear(structuredClone(ask)),
    addEventListener: (name: string, hear: (event: MessageEvent<Answer>) => void) => void heard.set(name, hear),
    terminate() {
      this.isEnded = true;
    },
    fail: () => heard.get("error")?.({} as MessageEvent<Answer>),
  };
}

/** The recorded job verified on a thread. */
function aside(
  { job, epoch, fetch }: ReturnType<typeof recorded>,
  blobOf = fetch,
  signal = new AbortController().signal,
) {
  const thread = threadBeside();
  const checked: number[] = [];
  const work = { job, epochs: [epoch], replayed: new Uint8Array(job.bid.taskCount) };
  const found = verifyAside(thread as unknown as Thread, work, blobOf, (tasks) => checked.push(tasks), signal);
  return { thread, checked, found };
}

test("verifyAside of a blob that is another's is refused", async () => {
  const { thread, found } = aside(recorded(), () => Promise.resolve(Uint8Array.of(1)));
  await expect(found).rejects.toThrow(new ResultsInvalid("A blob's bytes are not those of its id."));
  expect(thread.isEnded).toBe(true);
});

test("verifyAside of another posted root is refused, in the same words", async () => {
  const wrong = recorded({ receipts: [`0x${"01".repeat(32)}`] });
  const said = await wrong.run().catch((error: unknown) => (error as Error).message);
  await expect(aside(wrong).found).rejects.toThrow(said as string);
});

test("verifyAside tells why a blob cannot be had, as it was thrown", async () => {
  const gone = new ProblemError("not_found", "No such blob.", 404);
  await expect(aside(recorded(), () => Promise.reject(gone)).found).rejects.toBe(gone);
});

test("verifyAside ends its thread when the page is left, and fails when the thread does", async () => {
  const leaving = new AbortController();
  const left = aside(recorded(), () => new Promise(() => undefined), leaving.signal);
  leaving.abort();
  await expect(left.found).rejects.toThrow("left");
  expect(left.thread.isEnded).toBe(true);
  const broken = aside(recorded(), () => new Promise(() => undefined));
  broken.thread.fail();
  await expect(broken.found).rejects.toThrow("ended");
});

test("verifyAside gives as many tasks as settledTasks, tells of them on the way, and zips them", async () => {
  const honest = recorded();
  const tasks = (await honest.run()).length;
  const { thread, checked, found } = aside(honest);
  const { tasks: count, zip } = await found;
  expect(count).toBe(tasks);
  expect(checked.at(-1)).toBe(tasks);
  expect(checked.length).toBeGreaterThan(1);
  const files = unzipSync(new Uint8Array(await zip.arrayBuffer()));
  expect(Object.keys(files)).toHaveLength(tasks + 1);
  expect(thread.isEnded).toBe(true);
});

test("settledTasks of an epoch without the job's entry is refused", async () => {
  await expect(recorded({ entries: [] }).run()).rejects.toThrow(ResultsInvalid);
});

test("settledTasks of another posted root is refused", async () => {
  const { entry } = recorded();
  const entries = [{ jobId: jobIdOf(entry.bid), subroot: `0x${"01".repeat(32)}` as const, count: 2, sum: 1n }];
  await expect(recorded({ entries }).run()).rejects.toThrow(ResultsInvalid);
});

test("settledTasks of a claimed receipt that the data lacks is refused", async () => {
  await expect(recorded({ receipts: [`0x${"01".repeat(32)}`] }).run()).rejects.toThrow(/claimed receipt/);
});

test("settledTasks of altered data is refused", async () => {
  const { raw } = recorded();
  const data = parseEpochData(raw);
  const entries = data.entries.map((entry) => ({
    ...entry,
    leaves: entry.leaves.map((leaf, index) =>
      index === 0 ? { ...leaf, receipt: { ...leaf.receipt, amount: leaf.receipt.amount + 1n } } : leaf,
    ),
  }));
  await expect(recorded({}, encodeEpochData({ ...data, entries })).run()).rejects.toThrow(ResultsInvalid);
});

test("settledTasks of an honest epoch gives every task of its claimed leaves", async () => {
  const { entry, run } = recorded();
  const tasks = await run();
  expect(tasks).toHaveLength(entry.leaves.reduce((sum, leaf) => sum + leaf.receipt.count, 0));
  expect(tasks.map(({ task }) => task)).toEqual(tasks.map(({ task }) => task).toSorted((a, b) => a - b));
});

test("settledTasks of no epochs is nothing", async () => {
  const { entry } = recorded();
  const job = { bid: entry.bid, feePpm: 0, domain: { chainId: 1, verifyingContract: entry.bid.buyer } };
  expect(await settledTasks(job, [], () => Promise.reject(new Error("unused")))).toEqual([]);
});

test("resultsJson names file, size and content id of each verified output", async () => {
  const tasks = bundledSettled(await recorded().run(), (task) => task === 0);
  const told = JSON.parse(resultsJson("0x01", "0x02", 9, tasks));
  expect(told).toMatchObject({ job: "0x01", program: "0x02", taskCount: 9 });
  expect(told.tasks[0]).toMatchObject({ task: tasks[0]?.task, verified: true, state: "final", status: "ok" });
  expect(told.tasks[0].file).toBe(`outputs/${String(tasks[0]?.task).padStart(6, "0")}.bin`);
  expect(told.tasks[0]).not.toHaveProperty("output");
});

test("bundledTold leaves out tasks without outputs and says that nobody verified", () => {
  const result = {
    task: 3,
    state: "undrawn",
    attested: true,
    output: "0x07",
    wu: "5",
    status: 0,
    device: "0xaa",
    epoch: 1,
    drawn: false,
    replayed: false,
  };
  const tasks = bundledTold([{ ...result, task: 2, output: null }, result]);
  expect(tasks).toEqual([
    {
      task: 3,
      state: "attested",
      verified: false,
      replayed: false,
      status: "ok",
      wu: "5",
      device: "0xaa",
      epoch: "1",
      output: Uint8Array.of(7),
    },
  ]);
});
