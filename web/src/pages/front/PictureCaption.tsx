import type { BlockRef } from "../../chain/log";
import "./legend.css";

const time = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString("en-GB");

/** Whose word the numbers are, when they were read, and how to read the rings. */
export function PictureCaption({ block, marketAt }: { block: BlockRef | null; marketAt: number | null }) {
  return (
    <figcaption className="legend small soft">
      <span>
        <Mark source="chain" /> the chain
        {block ? `, block ${block.number.toLocaleString("en-US")} of ${time(block.timestamp)}` : ", not read yet"}
      </span>
      <span>
        <Mark source="market" /> this market&apos;s word
        {marketAt === null ? ", not read yet" : `, ${time(marketAt)}`}
      </span>
      <span>
        A ring closes as seats replay an epoch&apos;s receipts; its red part they called wrong, a broken ring is void.
      </span>
      <span>1 GWU: a billion work units, counted alike on every device.</span>
    </figcaption>
  );
}

function Mark({ source }: { source: "chain" | "market" }) {
  return (
    <svg className="mark" viewBox="-6 -6 12 12" aria-hidden="true">
      <circle className={`source source-${source}`} r={4} />
    </svg>
  );
}
