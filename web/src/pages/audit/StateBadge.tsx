import type { EpochState, GameState } from "../../audit/facts";
import type { Outcome } from "../../audit/findings";
import { OUTCOME_WORDS } from "../../audit/findings";
import { Badge } from "../../ui/Badge";

const EPOCH_TONES = { final: "good", void: "bad", window: "warn" } as const;

/** The state of an epoch. */
export function EpochBadge({ state }: { state: EpochState }) {
  return <Badge tone={state in EPOCH_TONES ? EPOCH_TONES[state as keyof typeof EPOCH_TONES] : "info"}>{state}</Badge>;
}

const GAME_TONES = { upheld: "bad", rejected: "good", hung: "warn" } as const;

/** The state of a challenge. */
export function GameBadge({ state }: { state: GameState }) {
  return <Badge tone={state in GAME_TONES ? GAME_TONES[state as keyof typeof GAME_TONES] : "info"}>{state}</Badge>;
}

const OUTCOME_TONES = { agrees: "good", disagrees: "bad", unknown: "warn" } as const;
const OUTCOME_MARKS = { agrees: "✓", disagrees: "✗", unknown: "?" } as const;

/** What a comparison says; a mark and a word, never the colour alone. */
export function OutcomeBadge({ outcome }: { outcome: Outcome }) {
  return (
    <Badge tone={OUTCOME_TONES[outcome]}>
      <span aria-hidden="true">{OUTCOME_MARKS[outcome]} </span>
      {OUTCOME_WORDS[outcome]}
    </Badge>
  );
}
