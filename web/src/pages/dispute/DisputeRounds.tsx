import { type Dispute, gameDeadline, type PanelRound, VOTE_WORDS } from "../../audit/disputes";
import { useChainNow, useClocks } from "../../chain/clocks";
import type { EventLog } from "../../chain/log";
import type { Address } from "../../protocol";
import { Badge } from "../../ui/Badge";
import { Hash } from "../../ui/Hash";
import "../../ui/Table.css";
import { Countdown } from "../audit/Countdown";
import type { DisputeStanding } from "./DisputePage";

/** The ballots of a dispute: jurors, votes, deadline. */
export function DisputeRounds({
  dispute,
  standing,
  log,
  readAtMs,
}: {
  dispute: Dispute;
  standing: DisputeStanding | undefined;
  log: EventLog;
  readAtMs: number;
}) {
  const now = useChainNow(log, readAtMs);
  const { data: clocks } = useClocks();
  const last = dispute.rounds.at(-1);
  const deadline =
    !dispute.outcome && last && standing && clocks
      ? gameDeadline(standing.state, last, standing.seats, standing.times, clocks)
      : null;
  return (
    <section className="stack-tight" aria-labelledby="panel">
      <h2 id="panel">Panel</h2>
      {deadline === null ? null : (
        <p>
          This state ends in <Countdown at={deadline} now={now} what="or earlier, when every drawn seat has acted" />.
        </p>
      )}
      {dispute.rounds.map((round) => (
        <Jurors key={round.subject} round={round} seats={round === last ? (standing?.seats ?? []) : []} />
      ))}
    </section>
  );
}

function Jurors({ round, seats }: { round: PanelRound; seats: readonly Address[] }) {
  const jurors = new Set([...seats, ...round.commits.map(({ verifier }) => verifier)]);
  const name = round.round === 0 ? "First panel" : "Panel of the appeal";
  return (
    <div className="stack-tight">
      <h3>{name}</h3>
      <p className="small soft">
        Seats drawn by block {round.beaconRound} out of snapshot {round.snapshot}.
      </p>
      {jurors.size === 0 ? <p>Nobody is drawn yet.</p> : null}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region is reached by keyboard */}
      <div className="table-scroll" role="region" aria-label={name} tabIndex={0} hidden={jurors.size === 0}>
        <table className="table">
          <caption className="visually-hidden">{name}</caption>
          <thead>
            <tr>
              <th scope="col">Juror</th>
              <th scope="col">Seats</th>
              <th scope="col">Committed</th>
              <th scope="col">Vote</th>
            </tr>
          </thead>
          <tbody>
            {[...jurors].map((juror) => {
              const commit = round.commits.find(({ verifier }) => verifier === juror);
              const vote = round.votes.find(({ verifier }) => verifier === juror);
              return (
                <tr key={juror}>
                  <td>
                    <Hash value={juror} name="juror's address" />
                  </td>
                  <td className="number">{seats.filter((seat) => seat === juror).length || "–"}</td>
                  <td>{commit ? `block ${commit.block}` : "not yet"}</td>
                  <td>{vote ? <Vote vote={vote.vote} /> : "none"}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Vote({ vote }: { vote: number }) {
  const tones = ["plain", "good", "bad", "warn"] as const;
  return <Badge tone={tones[vote] ?? "plain"}>{VOTE_WORDS[vote] ?? "?"}</Badge>;
}
