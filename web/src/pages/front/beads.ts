/** The epochs of the picture with their words. Pure. */
import type { Bead } from "../../audit/beads";
import type { EpochState } from "../../audit/facts";

/** How far an epoch is: being checked, open to challenges, final, void; null while it is not read. */
export type Phase = "checking" | "window" | "final" | "void" | null;

/** An epoch of the picture. */
export type Shown = Bead & { readonly phase: Phase };

/** The bead with its phase: the state that the chain tells, or what the events say while it is not read. */
export function shownOf(bead: Bead, state: EpochState | undefined): Shown {
  return { ...bead, phase: bead.standing === "void" ? "void" : phaseOf(state) };
}

function phaseOf(state: EpochState | undefined): Phase {
  if (state === undefined || state === "none") return null;
  return state === "window" || state === "final" || state === "void" ? state : "checking";
}

const PHASES = {
  checking: "being checked",
  window: "open to challenges",
  final: "final",
  void: "void",
} as const;

const stateWords = ({ phase }: Shown): string => (phase ? PHASES[phase] : "");

/** "1 wrong" where seats called a receipt so, else nothing. */
export const wrongWords = ({ wrong }: Shown): string => (wrong > 0 ? `${wrong} wrong` : "");

/** "5 of 5 replayed, final, 1 wrong": what there is room for on a phone. */
export const shortWords = (bead: Shown): string =>
  [`${bead.replayed} of ${bead.leaves} replayed`, bead.phase, wrongWords(bead)].filter(Boolean).join(", ");

/** "Epoch 3: 5 of 5 receipts replayed, final." */
export function beadWords(bead: Shown): string {
  const replayed = `Epoch ${bead.id}: ${bead.replayed} of ${bead.leaves} receipts replayed`;
  return [replayed, stateWords(bead), wrongWords(bead)].filter(Boolean).join(", ");
}

/** The shares of a bead's ring: called right, called wrong, the rest not replayed. */
export function ringOf({ leaves, replayed, wrong }: Bead): { right: number; wrong: number } {
  if (leaves === 0) return { right: 0, wrong: 0 };
  return { right: (replayed - wrong) / leaves, wrong: wrong / leaves };
}
