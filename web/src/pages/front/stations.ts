/** The stations of the picture: what they show and whose word it is. Pure. */
import { tokens, work } from "../../ui/numbers";
import type { FromChain, FromMarket } from "./useFront";

/** Where a number comes from. */
export type Source = "chain" | "market";

/** A short text and whose word it is. */
export type Told = { readonly text: string; readonly source: Source };

/** One stop on the way of work: its number, what that counts, two lines below. */
export type Station = {
  readonly key: "bid" | "devices" | "epoch" | "draw" | "paid";
  readonly value: string;
  readonly unit: Told;
  readonly lines: readonly Told[];
};

const UNREAD = "–";

const chain = (text: string): Told => ({ text, source: "chain" });
const market = (text: string): Told => ({ text, source: "market" });

const count = (value: number | null | undefined): string => value?.toLocaleString("en-US") ?? UNREAD;

const plural = (value: number | null | undefined, one: string, many = `${one}s`): string => (value === 1 ? one : many);

const counted = (value: number | null | undefined, one: string, many?: string): string =>
  `${count(value)} ${plural(value, one, many)}`;

/** The way of work: bid, devices, epoch, draw, paid. What is not read yet is a dash. */
export function stationsOf(read: FromChain | null, told: FromMarket): Station[] {
  const { totals, verdicts, paidTasks } = read ?? {};
  const done = told.work;
  return [
    {
      key: "bid",
      value: count(told.freeTasks),
      unit: market(`open ${plural(told.freeTasks, "task")}`),
      lines: [
        chain(`${counted(totals?.jobs, "job")} opened`),
        ...(told.bestBid === null ? [] : [market(`up to ${tokens(told.bestBid, 3)} MANY a GWU`)]),
      ],
    },
    {
      key: "devices",
      value: count(told.devices),
      unit: market(`${plural(told.devices, "device")} online`),
      lines: priceNow(told).map(market),
    },
    {
      key: "epoch",
      value: count(done?.tasks),
      unit: market(`${plural(done?.tasks, "task")} done`),
      lines: [market(done ? `${work(done.wu)} of work` : UNREAD), chain(`${counted(totals?.epochs, "epoch")} posted`)],
    },
    {
      key: "draw",
      value: count(verdicts && verdicts.right + verdicts.wrong),
      unit: chain("replays by seats"),
      lines: [
        chain(`${count(verdicts?.right)} right, ${count(verdicts?.wrong)} wrong`),
        chain(`${counted(totals?.convicted, "device")} convicted`),
      ],
    },
    {
      key: "paid",
      value: count(paidTasks),
      unit: chain(`${plural(paidTasks, "task")} paid`),
      lines: [chain(`${amount(totals?.paid)} to owners`), chain(`${amount(totals?.verification)} for checking`)],
    },
  ];
}

const amount = (wei: bigint | undefined): string => (wei === undefined ? UNREAD : `${tokens(wei, 3)} MANY`);

/** The price now: what leases pay; where nothing is leased, what devices ask. */
function priceNow({ paid, asks }: FromMarket): string[] {
  if (paid) return [`${range(paid)} a GWU`, `paid by ${counted(paid.leases, "lease")}`];
  return asks ? [`${range(asks)} a GWU`, "asked; nothing is leased"] : ["no price is asked"];
}

const range = ({ low, high }: { low: bigint; high: bigint }): string =>
  low === high ? `${tokens(low, 3)} MANY` : `${tokens(low, 3)} to ${tokens(high, 3)} MANY`;

/** A station in words, for who cannot see it. */
export const inWords = ({ value, unit, lines }: Station): string =>
  [{ ...unit, text: `${value} ${unit.text}` }, ...lines].map(({ text, source }) => `${text} (${source})`).join(", ");
