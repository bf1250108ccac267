import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { medianAsk } from "../../api/book";
import { api, ok, type Schema } from "../../api/client";
import { messageOf } from "../../api/problem";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { axisPrice, depthOf } from "./depth";
import { DepthChart } from "./DepthChart";
import { Prices } from "./Prices";
import { Demand, Offers } from "./Sides";
import "./book.css";

const POLL_MS = 2_000;

/** The market's order book: what devices ask, what jobs want. */
export default function BookPage() {
  const { data: book, error } = useQuery({
    queryKey: ["book"],
    queryFn: () => ok(api.GET("/v1/book")),
    refetchInterval: POLL_MS,
  });
  return (
    <div className="stack">
      <h1>Order book</h1>
      <p className="book-lead">
        What live devices ask and what open jobs still want, by price. This is the market&apos;s word: offers and leases
        are not on the chain.
      </p>
      {error ? (
        <Notice tone="bad" title="The book cannot be read">
          <p>{messageOf(error)}</p>
        </Notice>
      ) : null}
      {book ? <Book book={book} /> : error ? null : <Spinner label="Reading the order book" />}
    </div>
  );
}

function Book({ book }: { book: Schema<"BookBody"> }) {
  const { asks, bids, hidden } = book;
  const depth = useMemo(() => depthOf(asks, bids), [asks, bids]);
  const median = medianAsk(asks);
  return (
    <>
      <section className="card stack" aria-label="Price">
        <Prices paid={book.paid} median={median} />
        {depth ? <DepthChart depth={depth} median={median === null ? null : axisPrice(median)} /> : null}
        <p className="small soft">
          {depth
            ? "Across: MANY for a GWU (a billion work units). Up: devices that ask at most a price. Down: jobs that pay at least it. "
            : ""}
          Read {new Date(book.at * 1000).toLocaleTimeString("en-GB")}.
          {hidden > 0 ? ` ${hidden} price levels farther out are not shown.` : ""}
        </p>
      </section>
      <div className="columns">
        <Offers asks={asks} />
        <Demand bids={bids} />
      </div>
    </>
  );
}
