/** The most that admission takes (protocol/wasm/bounds.py). */
export const MODULE_BYTES_MAX = 1 << 20;
const LIMITS_MAX = { wu: 2 ** 50, memoryPages: 1_024, frameBytes: 256 << 10 };

/** Limits of a program as typed. */
export type LimitTexts = Record<keyof typeof LIMITS_MAX, string>;

export const START_LIMITS: LimitTexts = { wu: "10000000000", memoryPages: "16", frameBytes: "65536" };

const NAMES: Record<keyof typeof LIMITS_MAX, string> = {
  wu: "WU a task",
  memoryPages: "pages of memory",
  frameBytes: "bytes of frames",
};

const numberOf = (text: string): number =>
  /^[\d,_ ]+$/.test(text) ? Number(text.replaceAll(/[,_ ]/g, "")) : Number.NaN;

/** The limits as the market takes them. */
export const limitsOf = (texts: LimitTexts) => ({
  wu: numberOf(texts.wu),
  memoryPages: numberOf(texts.memoryPages),
  frameBytes: numberOf(texts.frameBytes),
});

/** What is wrong with the typed limits, or null. */
export function faultOfLimits(texts: LimitTexts): string | null {
  for (const [key, most] of Object.entries(LIMITS_MAX) as [keyof LimitTexts, number][]) {
    const value = numberOf(texts[key]);
    if (!Number.isSafeInteger(value) || value < 1 || value > most)
      return `${NAMES[key]}: a whole number from 1 to ${most.toLocaleString("en-US")}.`;
  }
  return null;
}
