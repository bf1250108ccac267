import { expect, test } from "vitest";
import { bytes, duration, exactTokens, percent, tokens, weiOf, work } from "./numbers";

test("tokens_of_less_than_a_millionth_keeps_its_digits", () => expect(tokens(1_234_567_890n)).toBe("0.00000000123456"));
test("tokens_of_many_is_cut_not_rounded", () => expect(tokens(1_999_999_999_999_999_999_999n)).toBe("1,999.999999"));
test("tokens_of_none_and_of_debts", () => {
  expect(tokens(0n)).toBe("0");
  expect(tokens(-5n * 10n ** 17n)).toBe("−0.5");
});
test("exactTokens_tells_each_wei", () =>
  expect(exactTokens(10n ** 18n + 1n)).toBe("1.000000000000000001 MANY (1000000000000000001 wei)"));
test("work_takes_the_largest_unit_that_fits", () => {
  expect(work(999n)).toBe("999 WU");
  expect(work(12_390_000n)).toBe("12.3 MWU");
  expect(work(3n * 10n ** 12n)).toBe("3 TWU");
});
test("percent_of_ppm", () =>
  expect([percent(10_000), percent(15_125), percent(1_000_000)]).toEqual(["1 %", "1.51 %", "100 %"]));
test("duration_shows_two_units_and_nothing_below_zero", () =>
  expect([duration(-3), duration(200), duration(3600), duration(90_061)]).toEqual([
    "0 s",
    "3 min 20 s",
    "1 h",
    "1 d 1 h",
  ]));
test("bytes_by_thousands", () =>
  expect([bytes(999), bytes(1234), bytes(64_000_000)]).toEqual(["999 B", "1.2 kB", "64 MB"]));
test.each(["", ".", "-1", "1e3", "1.2.3", "0x1", "1,5", "12,34", ",123", `0.${"1".repeat(19)}`])(
  "weiOf_%j_is_null",
  (text) => expect(weiOf(text)).toBeNull(),
);
test("weiOf_reads_amounts_exactly", () => {
  expect(weiOf(" 1,234.5 ")).toBe(1_234_500_000_000_000_000_000n);
  expect(weiOf("0.000000000000000001")).toBe(1n);
  expect(weiOf(".5")).toBe(5n * 10n ** 17n);
  expect(weiOf("7")).toBe(7n * 10n ** 18n);
});
