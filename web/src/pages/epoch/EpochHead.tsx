import { deadlineOf } from "../../audit/epochs";
import { type EpochFacts, isSeeded, openedOf } from "../../audit/facts";
import { useChainNow, useClocks } from "../../chain/clocks";
import { Amount } from "../../ui/Amount";
import { Hash } from "../../ui/Hash";
import { Countdown } from "../audit/Countdown";
import { EpochBadge } from "../audit/StateBadge";

/** What was posted, and where the epoch stands. */
export function EpochHead({ facts, readAtMs }: { facts: EpochFacts; readAtMs: number }) {
  const { head } = facts.posted.args;
  const now = useChainNow(facts.log, readAtMs);
  const { data: clocks } = useClocks();
  const deadline = clocks && deadlineOf(facts.state, facts.clock, clocks);
  const round = Number(openedOf(facts)?.args.round ?? 0n);
  const hash = facts.blockHashes.get(round);
  return (
    <section className="card stack-tight" aria-label="As it stands on the chain">
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <EpochBadge state={facts.state} />{" "}
          {deadline ? (
            <>
              <Countdown at={deadline.at} now={now} what={deadline.what} />{" "}
              <span className="soft">({deadline.what})</span>
            </>
          ) : null}
        </dd>
        <dt>Settler</dt>
        <dd>
          <Hash value={head.settler} name="settler's address" />
        </dd>
        <dt>Posted</dt>
        <dd>
          in block {facts.posted.block}, <time dateTime={iso(head.postedAt)}>{iso(head.postedAt)}</time>
        </dd>
        <dt>Hash of the head</dt>
        <dd>
          <Hash value={facts.headHash} name="hash of the head" />
        </dd>
        <dt>Data blob</dt>
        <dd>
          <Hash value={head.dataId} name="id of the data" /> <a href={`/v1/blobs/${head.dataId}`}>download</a>
        </dd>
        <dt>Seed</dt>
        <dd>
          {isSeeded(facts) ? <Hash value={facts.seed} name="seed" /> : "none yet"}, out of the hash of block {round}
          {hash ? (
            <>
              {" "}
              (<Hash value={hash} name="block's hash" />)
            </>
          ) : (
            ", which the node does not have"
          )}
        </dd>
        <dt>Acted</dt>
        <dd>
          {facts.clock.committed} committed, {facts.clock.revealed} revealed
        </dd>
      </dl>
      <Entries facts={facts} />
    </section>
  );
}

function Entries({ facts }: { facts: EpochFacts }) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region is reached by keyboard
    <div className="table-scroll" role="region" aria-label="Roots of its jobs" tabIndex={0}>
      <table className="table">
        <caption className="visually-hidden">Roots of its jobs</caption>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Root of receipts</th>
            <th scope="col">Receipts</th>
            <th scope="col">Debit</th>
            <th scope="col">Not settled</th>
          </tr>
        </thead>
        <tbody>
          {facts.posted.args.head.entries.map((entry, index) => (
            <tr key={entry.jobId}>
              <td>
                <Hash value={entry.jobId} name="job's id" />
              </td>
              <td>
                <Hash value={entry.subroot} name="root" />
              </td>
              <td className="number">{entry.count}</td>
              <td>
                <Amount wei={entry.sum} />
              </td>
              <td>
                <Amount wei={facts.outstanding[index]?.sum ?? 0n} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
