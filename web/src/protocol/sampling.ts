/** Draws: tasks, seats of a leaf, ballots (section 6), and the chance that wrong work escapes. */
import { UINT32_MAX, checkBigUint, checkUint, wordsOf, type Address, type Hex } from "./encoding.ts";
import { DrawInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";
import { Receipt } from "./messages.ts";
import { PPM, ceilDiv } from "./money.ts";

export const LEAF_TRIES = 64;
export const BALLOT_TRIES = 256;
export const REDRAW_SEATS = 3;
export const PANEL_SEATS = 3;
export const APPEAL_SEATS = 6;
export const PROGRAM_SEATS = 3;

const TWO_SEATS_ONE_IN = 10n;

/** A seat of a snapshot: who replays for it and whose devices it is not drawn for. */
export interface Seat {
  readonly verifier: Address;
  readonly owner: Address;
}

// --- tasks

/** price_k: the task's part of the amount in wei, rounded up. */
export function priceOfTask(wu: bigint, amount: bigint, totalWU: bigint): bigint {
  return ceilDiv(wu * amount, totalWU);
}

/** The chance in ppm that a task of this price is replayed. */
export function pPpm(priceWei: bigint, stake: bigint, rateFloorPpm: number): number {
  if (stake === 0n) return PPM;
  const rule = ceilDiv(40n * BigInt(PPM) * priceWei, 9n * stake);
  return Math.max(rateFloorPpm, rule < PPM ? Number(rule) : PPM);
}

/** Whether the task at this position of the receipt is replayed. */
export function isDrawn(seed: Hex, receiptDigest: Hex, position: number, chancePpm: number): boolean {
  const found = BigInt.asUintN(128, draw(seed, receiptDigest, position));
  return found < (BigInt(chancePpm) << 128n) / BigInt(PPM);
}

/**
 * The positions of the receipt's replayed tasks, rising.
 *
 * `wus` is the WU of each position; `stake` that of the device at the posting, in wei. DrawInvalid if the WU are not
 * the receipt's.
 */
export function drawnTasks(
  seed: Hex,
  receipt: Receipt,
  wus: readonly bigint[],
  stake: bigint,
  rateFloorPpm: number,
): number[] {
  const sum = wus.reduce((total, wu) => total + wu, 0n);
  if (wus.length !== receipt.count || sum !== receipt.totalWU || sum === 0n) {
    throw new DrawInvalid("the WU of the tasks are not the receipt's");
  }
  const digest = Receipt.structHash(receipt);
  return wus.flatMap((wu, k) => {
    const chance = pPpm(priceOfTask(wu, receipt.amount, receipt.totalWU), stake, rateFloorPpm);
    return isDrawn(seed, digest, k, chance) ? [k] : [];
  });
}

/** The chance that not one of these independent tasks is drawn, from the chance of each in ppm. */
export function missProbability(chancesPpm: Iterable<number>): number {
  let total = 0;
  for (const chance of chancesPpm) {
    if (chance >= PPM) return 0;
    total += Math.log1p(-chance / PPM);
  }
  return Math.exp(total);
}

// --- seeds and subjects

/** The seed of an epoch, from the beacon's randomness. */
export function epochSeed(randomness: Hex, epochId: bigint): Hex {
  return keccak256(wordsOf([randomness, checkBigUint(epochId, 64, "epochId")]));
}

/** The seed of a ballot, from the beacon's randomness. */
export function ballotSeed(randomness: Hex, subject: Hex): Hex {
  return keccak256(wordsOf([randomness, subject]));
}

/** The subject of a leaf's redraw. */
export function redrawSubject(epochId: bigint, leafHash: Hex, round: number): Hex {
  return keccak256(wordsOf([checkBigUint(epochId, 64, "epochId"), leafHash, checkUint(round, 8, "round")]));
}

/** The subject of a panel's ballot: round 0, or 1 on appeal. */
export function panelSubject(gameId: Hex, round: number): Hex {
  return keccak256(wordsOf([gameId, checkUint(round, 8, "round")]));
}

// --- seats

/** How many seats a leaf goes to: a tenth of the leaves to two, the others to one. */
export function wantedSeats(seed: Hex, leafHash: Hex): number {
  return draw(seed, leafHash, UINT32_MAX) % TWO_SEATS_ONE_IN === 0n ? 2 : 1;
}

/** The indices in the snapshot of a leaf's seats in drawing order; fewer than wanted, even none, if tries run out. */
export function seatsOfLeaf(seed: Hex, leafHash: Hex, seats: readonly Seat[], deviceOwner: Address): number[] {
  const verifiers = new Set<string>();
  return pick(seed, leafHash, seats, LEAF_TRIES, wantedSeats(seed, leafHash), ({ verifier, owner }) => {
    const isTaken = verifiers.has(verifier.toLowerCase());
    if (isTaken || isSame(owner, deviceOwner)) return false;
    verifiers.add(verifier.toLowerCase());
    return true;
  });
}

/**
 * The indices in the snapshot of a ballot's distinct seats in drawing order; fewer than wanted if tries run out.
 *
 * `excluded` addresses neither verify nor own a drawn seat.
 */
export function ballotSeats(
  seed: Hex,
  subject: Hex,
  seats: readonly Seat[],
  wanted: number,
  excluded: readonly Address[] = [],
): number[] {
  const taken = new Set<Seat>();
  return pick(seed, subject, seats, BALLOT_TRIES, wanted, (seat) => {
    const isOut = excluded.some((address) => isSame(address, seat.verifier) || isSame(address, seat.owner));
    if (isOut || taken.has(seat)) return false;
    taken.add(seat);
    return true;
  });
}

/** Draws until enough seats are taken; `take` says whether one is and remembers it. */
function pick(
  seed: Hex,
  subject: Hex,
  seats: readonly Seat[],
  tries: number,
  wanted: number,
  take: (seat: Seat) => boolean,
): number[] {
  const found: number[] = [];
  for (let i = 0; i < tries && seats.length > 0 && found.length < wanted; i++) {
    const candidate = Number(draw(seed, subject, i) % BigInt(seats.length));
    if (take(seats[candidate] as Seat)) found.push(candidate);
  }
  return found;
}

function isSame(a: Address, b: Address): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function draw(seed: Hex, subject: Hex, index: number): bigint {
  return BigInt(keccak256(wordsOf([seed, subject, index])));
}
