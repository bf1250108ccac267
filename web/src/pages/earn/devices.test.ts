import type { Address } from "viem";
import { expect, test } from "vitest";
import { type DeviceFacts, failuresOf, healthOf, joinDevices, type OwnedDevice } from "./devices";

const fact = (address: string, changes: Partial<DeviceFacts> = {}): DeviceFacts => ({
  address: address as Address,
  owner: "0xowner" as Address,
  convicted: false,
  openGames: 0,
  unbondsAt: 0,
  stake: 0n,
  unbonding: 0n,
  ...changes,
});
const known = (address: string, changes: Partial<OwnedDevice> = {}) =>
  ({
    address,
    health: "waiting",
    refusal: null,
    seenAt: 100,
    leasesExpired: 0,
    tasksLost: 0,
    inHand: null,
    ...changes,
  }) as OwnedDevice;
const view = (changes: Partial<OwnedDevice> = {}, facts: Partial<DeviceFacts> = {}) => ({
  ...fact("0xa", facts),
  market: known("0xa", changes),
});

test("joinDevices_keeps_what_the_market_never_saw_and_puts_it_last", () => {
  const joined = joinDevices([fact("0xa"), fact("0xb"), fact("0xc")], [known("0xc"), known("0xb", { seenAt: 200 })]);
  expect(joined.map((device) => [device.address, device.market?.seenAt])).toEqual([
    ["0xb", 200],
    ["0xc", 100],
    ["0xa", undefined],
  ]);
});
test("health_of_a_conviction_on_the_chain_goes_before_the_market_s_word", () =>
  expect(healthOf(view({ health: "working" }, { convicted: true }), 0).word).toBe("convicted"));
test("health_of_one_that_the_market_never_saw", () =>
  expect(healthOf({ ...fact("0xa"), market: null }, 0).word).toBe("unknown here"));
test("health_silent_says_since_when", () => {
  expect(healthOf(view({ health: "silent" }), 160).text).toBe("Last seen 1 min ago.");
  expect(healthOf(view({ health: "silent", seenAt: null }), 160).text).toBe("It never asked for work here.");
});
test("health_waiting_says_why_it_gets_none", () => {
  expect(healthOf(view({ refusal: "unfinal_pay" }), 0)).toMatchObject({ tone: "warn", word: "waiting" });
  expect(healthOf(view({ refusal: "new_reason" }), 0).text).toBe("It gets no work now: new_reason.");
  expect(healthOf(view(), 0).tone).toBe("info");
});
test("health_working_says_on_what", () => {
  const inHand = { tasks: 1, program: "digits" } as OwnedDevice["inHand"];
  expect(healthOf(view({ health: "working", inHand }), 0).text).toBe("1 task of digits in hand.");
});
test("failures_are_counted_in_words", () => {
  expect(failuresOf(null)).toBe("none");
  expect(failuresOf(known("0xa", { leasesExpired: 1, tasksLost: 2 }))).toBe("1 lease ran out, 2 tasks lost");
});
