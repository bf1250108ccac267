import { expect, test, vi } from "vitest";

vi.hoisted(() => vi.stubGlobal("location", new URL("http://localhost")));

import { ALL_ERRORS } from "./engine/errors";
import { KNOWN_REASONS, sentenceOf } from "./reasons";

const VALUES: Record<string, unknown> = { address: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", bytes32: "0x11" };
const valueOf = (type: string) => VALUES[type] ?? (/^uint(8|16|24|32|40|48)$/.test(type) ? 5 : 5n);

test("every error of the contracts has a whole sentence", () => {
  for (const { name, inputs } of ALL_ERRORS) {
    const sentence = sentenceOf({ name, args: inputs.map(({ type }) => valueOf(type)) });
    expect(sentence, name).toMatch(/^[A-Z].*\.$/);
    expect(sentence, name).not.toMatch(/undefined|NaN|Invalid Date/);
  }
});

test("every sentence belongs to an error that a contract has", () => {
  const names = new Set(ALL_ERRORS.map(({ name }) => name));
  expect(KNOWN_REASONS.filter((name) => !names.has(name))).toEqual([]);
});

test("sentenceOf an unknown error tells its name and what it carries", () => {
  expect(sentenceOf({ name: "Other_Odd", args: [1n, "0xab"] })).toBe("The contract refused: Other_Odd (1, 0xab).");
});
