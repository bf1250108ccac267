import { useState } from "react";
import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { ClaimDue } from "./ClaimDue";
import { addsUp, type Earnings, type Kind } from "./earnings";
import { Entries } from "./Entries";
import { TakeOut } from "./TakeOut";
import type { OwnerView } from "./useOwner";

type Tile = { id: string; name: string; wei: (found: Earnings) => bigint; kinds: readonly Kind[]; text: string };

const TILES: readonly Tile[] = [
  {
    id: "pending",
    name: "Pending",
    wei: (found) => found.accepted + found.posted,
    kinds: ["pending"],
    text: "Accepted by the market, and not final on the chain yet. It can still be lost: to a void epoch (then it is posted again) or a conviction.",
  },
  {
    id: "claimable",
    name: "Claimable",
    wei: (found) => found.credited,
    kinds: ["due", "paid"],
    text: "Claimed, and lying in the escrow for you: take it out whenever you like.",
  },
  {
    id: "withdrawn",
    name: "Withdrawn",
    wei: (found) => found.withdrawn,
    kinds: ["withdrawn"],
    text: "Taken out of the escrow into your wallet.",
  },
  {
    id: "bonded",
    name: "Bonded",
    wei: (found) => found.bonded,
    kinds: ["bonded", "staked", "unstaked"],
    text: "Pay that became stake of the device that earned it, until that is 300 task prices. It stays yours: unstake it below. What you staked and took back is listed too.",
  },
  {
    id: "deducted",
    name: "Deducted",
    wei: (found) => found.deducted,
    kinds: ["deducted"],
    text: "For the seats that replayed a share of the work. The more stake, the smaller the share.",
  },
  {
    id: "slashed",
    name: "Slashed",
    wei: (found) => found.slashed,
    kinds: ["slashed", "voided"],
    text: "Stake taken by a conviction for a wrong result.",
  },
];

/** What the owner's devices have earned, in the six parts that it has, with every entry behind each. */
export function Money({ view }: { view: OwnerView }) {
  const [chosen, setChosen] = useState<Tile | null>(null);
  const { earnings } = view;
  return (
    <div className="stack">
      <h2>Your money</h2>
      <div className="earn-tiles">
        {TILES.map((tile) => (
          <MoneyTile
            key={tile.id}
            tile={tile}
            earnings={earnings}
            isChosen={chosen?.id === tile.id}
            onChoose={() => setChosen(chosen?.id === tile.id ? null : tile)}
          />
        ))}
      </div>
      {addsUp(earnings) ? null : (
        <Notice tone="warn">
          The parts do not add up to what was claimed: the chain's events are not complete. Load the page again.
        </Notice>
      )}
      <div className="row">
        <TakeOut credited={earnings.credited} />
      </div>
      <ClaimDue view={view} />
      {chosen ? (
        <Entries title={chosen.name} items={earnings.items.filter(({ kind }) => chosen.kinds.includes(kind))} />
      ) : null}
    </div>
  );
}

function MoneyTile({
  tile,
  earnings,
  isChosen,
  onChoose,
}: {
  tile: Tile;
  earnings: Earnings;
  isChosen: boolean;
  onChoose: () => void;
}) {
  const count = earnings.items.filter(({ kind }) => tile.kinds.includes(kind)).length;
  return (
    <article className="card stack-tight earn-tile" aria-label={tile.name}>
      <h3>{tile.name}</h3>
      <p className="earn-amount">
        <Amount wei={tile.wei(earnings)} />
      </p>
      <p className="small soft">{tile.text}</p>
      {tile.id === "pending" && earnings.accepted + earnings.posted > 0n ? <PendingParts earnings={earnings} /> : null}
      {count === 0 ? (
        <p className="small soft">No entries</p>
      ) : (
        <div>
          <Button kind="quiet" aria-expanded={isChosen} onPress={onChoose}>
            {`${isChosen ? "Hide" : "Show"} ${count} ${count === 1 ? "entry" : "entries"}`}
          </Button>
        </div>
      )}
    </article>
  );
}

const PendingParts = ({ earnings }: { earnings: Earnings }) => (
  <p className="small">
    <Amount wei={earnings.accepted} /> accepted, <Amount wei={earnings.posted} /> posted
  </p>
);
