import type { Hex } from "../../protocol";
import { DEFAULT_TERMS, type Terms, type UploadedInputs } from "./terms";
import type { TaskInput } from "./inputs";

/** What the buyer has put together so far. `uploaded` is what the market has of exactly these inputs. */
export type Draft = {
  program: Hex | null;
  inputs: TaskInput[];
  uploaded: UploadedInputs | null;
  terms: Terms;
  /** A bid that was signed and not taken yet: sent again as it is, so that no second job opens. */
  signed: SignedBid | null;
};

/** A bid in its JSON form with its signature. */
export type SignedBid = { jobId: Hex; bid: Record<string, unknown>; signature: Hex };

export const EMPTY_DRAFT: Draft = { program: null, inputs: [], uploaded: null, terms: DEFAULT_TERMS, signed: null };

/** What happens to a draft. */
export type DraftAction =
  | { type: "program"; program: Hex }
  | { type: "add"; inputs: Omit<TaskInput, "key">[] }
  | { type: "remove"; key: number }
  | { type: "clear" }
  | { type: "uploaded"; uploaded: UploadedInputs }
  | { type: "terms"; terms: Partial<Terms> }
  | { type: "signed"; signed: SignedBid }
  | { type: "reset" };

/** The draft after an action. A change of program or inputs forgets the chosen budget; of inputs what was uploaded. */
export function draftAfter(draft: Draft, action: DraftAction): Draft {
  switch (action.type) {
    case "program":
      return { ...draft, program: action.program, terms: withoutBudget(draft.terms), signed: null };
    case "add": {
      const first = draft.inputs.reduce((next, input) => Math.max(next, input.key + 1), 0);
      const added = action.inputs.map((input, index) => ({ ...input, key: first + index }));
      return withInputs(draft, [...draft.inputs, ...added]);
    }
    case "remove":
      return withInputs(
        draft,
        draft.inputs.filter((input) => input.key !== action.key),
      );
    case "clear":
      return withInputs(draft, []);
    case "uploaded":
      return { ...draft, uploaded: action.uploaded };
    case "terms":
      return { ...draft, terms: { ...draft.terms, ...action.terms }, signed: null };
    case "signed":
      return { ...draft, signed: action.signed };
    case "reset":
      return EMPTY_DRAFT;
  }
}

const withoutBudget = (terms: Terms): Terms => ({ ...terms, budget: null, minStake: 0n });

const withInputs = (draft: Draft, inputs: TaskInput[]): Draft => ({
  ...draft,
  inputs,
  uploaded: null,
  terms: { ...draft.terms, budget: null },
  signed: null,
});

const VERSION = 1;
/** More inputs than this are not listed again after a reload; what was uploaded still counts. */
const LISTED_MAX = 2_000;

/** The draft as text for sessionStorage; the bytes of files stay behind. */
export function draftToText(draft: Draft): string {
  const { budget, minStake, ...rest } = draft.terms;
  const inputs = draft.inputs.length > LISTED_MAX ? [] : draft.inputs;
  return JSON.stringify({
    version: VERSION,
    program: draft.program,
    inputs: inputs.map(({ name, length, hash, root }) => ({ name, length, hash, root })),
    uploaded: draft.uploaded,
    terms: { ...rest, budget: budget?.toString() ?? null, minStake: minStake.toString() },
    signed: draft.signed,
  });
}

/** The draft of such a text. Inputs without their bytes are worth nothing unless they were uploaded. */
export function draftFromText(text: string | null): Draft {
  try {
    const told = JSON.parse(text ?? "null");
    if (told?.version !== VERSION) return EMPTY_DRAFT;
    const { budget, minStake, floorPpm, deadlineSeconds } = told.terms;
    const terms = {
      budget: budget === null ? null : BigInt(budget),
      minStake: BigInt(minStake),
      floorPpm,
      deadlineSeconds,
    };
    const listed: TaskInput[] = told.inputs.map((input: object, key: number) => ({ ...input, key, data: null }));
    const inputs = told.uploaded ? listed : [];
    return { program: told.program, inputs, uploaded: told.uploaded, terms, signed: told.signed };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return EMPTY_DRAFT;
    throw error;
  }
}

const KEY = "multitude.draft";

/** The draft of this tab. */
export const loadDraft = (): Draft => draftFromText(sessionStorage.getItem(KEY));

/** Keeps the draft for a reload of this tab. */
export const saveDraft = (draft: Draft): void => sessionStorage.setItem(KEY, draftToText(draft));
