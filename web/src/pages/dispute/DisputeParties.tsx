import { formatEther } from "viem";
import { Link } from "wouter";
import type { Dispute } from "../../audit/disputes";
import type { GameState } from "../../audit/facts";
import { Amount } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { Hash } from "../../ui/Hash";
import { GameBadge } from "../audit/StateBadge";

const MEANING: Record<GameState, string> = {
  none: "",
  drawing: "its seats are not drawn yet",
  committing: "drawn seats run the task again and commit",
  revealing: "seats open their votes",
  decided: "the votes are counted; it may be appealed for a time",
  upheld: "the result was wrong: the device is convicted",
  rejected: "the result stands",
  hung: "no majority: the leaf is void and nobody is slashed",
};

/** Who accuses whom of what. */
export function DisputeParties({
  dispute,
  state,
  bond,
}: {
  dispute: Dispute;
  state: GameState | undefined;
  bond: bigint | undefined;
}) {
  const shown = dispute.outcome ?? state;
  return (
    <section className="card stack-tight" aria-label="What it is about">
      <dl className="facts">
        <dt>State</dt>
        <dd aria-live="polite">
          {shown ? <GameBadge state={shown} /> : "…"} {shown ? MEANING[shown] : null}
        </dd>
        <dt>Accused device</dt>
        <dd>
          <Hash value={dispute.device} name="device's address" />
        </dd>
        <dt>Task</dt>
        <dd>
          position {dispute.task} of leaf {dispute.leafNumber} in{" "}
          <Link href={`/audit/epochs/${dispute.epochId}`}>epoch {String(dispute.epochId)}</Link>, where it can be
          replayed
        </dd>
        <dt>Opened by</dt>
        <dd>
          <Hash value={dispute.opener} name="opener's address" /> in block {dispute.opened.block}
        </dd>
        <dt>Bond</dt>
        <dd>
          {dispute.seatBond ? "the opener's seat" : bond === undefined ? "…" : `${formatEther(bond)} of native coin`}
        </dd>
        <dt>Appealed by</dt>
        <dd>{dispute.appellant ? <Hash value={dispute.appellant} name="appellant's address" /> : "nobody"}</dd>
        <dt>Game</dt>
        <dd>
          <Hash value={dispute.gameId} name="game's id" />
        </dd>
      </dl>
    </section>
  );
}

/** What was slashed, and where it went. */
export function DisputeOutcome({ dispute }: { dispute: Dispute }) {
  if (!dispute.outcome) return null;
  const { slash, payments, seatSlashes } = dispute;
  return (
    <section className="stack-tight" aria-labelledby="outcome">
      <h2 id="outcome">Slash, and where it went</h2>
      {slash ? (
        <p>
          The device lost its whole stake, <Amount wei={slash.slashed} />: <Amount wei={slash.burned} /> burned,{" "}
          <Amount wei={slash.paid} /> paid out.
        </p>
      ) : (
        <p>No device lost stake in this game.</p>
      )}
      {seatSlashes.map(({ verifier, amount, why }) => (
        <p key={`${verifier} ${why}`}>
          The seat of <Hash value={verifier} name="verifier's address" /> lost <Amount wei={amount} />: {why}.
        </p>
      ))}
      {payments.length > 0 ? (
        <ul>
          {payments.map(({ to, amount, coin }, index) => (
            <li key={index}>
              {coin === "MANY" ? <Amount wei={amount} /> : `${formatEther(amount)} of native coin`} to{" "}
              <Hash value={to} name="account's address" />{" "}
              {coin === "native" ? <Badge>a bond or a judge&apos;s pay, to be withdrawn</Badge> : null}
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}
