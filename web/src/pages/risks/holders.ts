/** Who holds the seats that draws use. Pure. */
import type { Seat } from "../../protocol";

/** How many seats, verifiers and owners, and the most that one owner has. */
export type SeatHolders = {
  readonly seats: number;
  readonly verifiers: number;
  readonly owners: number;
  readonly most: number;
};

/** Counts the holders of a snapshot's seats. */
export function holdersOf(seats: readonly Seat[]): SeatHolders {
  const byOwner = new Map<string, number>();
  for (const { owner } of seats) byOwner.set(owner, (byOwner.get(owner) ?? 0) + 1);
  return {
    seats: seats.length,
    verifiers: new Set(seats.map(({ verifier }) => verifier)).size,
    owners: byOwner.size,
    most: Math.max(0, ...byOwner.values()),
  };
}
