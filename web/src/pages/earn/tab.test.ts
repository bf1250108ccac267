import { expect, test } from "vitest";
import type { DeviceState } from "../../device";
import { benchmarkText, controlsOf, speedOf, statusOf } from "./tab";

const policy = {
  minPriceWeiPerGWU: null,
  workers: 2,
  cpuPercent: 50,
  pauseOnBattery: true,
  pauseWhenHidden: false,
  isPaused: false,
};

test("status_gives_the_device_s_own_reason_before_ours", () => {
  expect(statusOf({ state: "paused", reason: "Paused: this computer runs on battery." }).text).toMatch("battery");
  expect(statusOf({ state: "paused", reason: null }).text).toBe("Paused.");
});
test("controls_offer_resume_only_for_a_pause_of_one_s_own", () => {
  expect(controlsOf({ state: "paused", policy })).toEqual(["finish"]);
  expect(controlsOf({ state: "paused", policy: { ...policy, isPaused: true } })).toEqual(["resume", "finish"]);
});
test.each<[DeviceState, string[]]>([
  ["loading", []],
  ["elsewhere", []],
  ["stopped", []],
  ["off", ["start"]],
  ["working", ["pause", "finish"]],
  ["finishing", ["stop"]],
  ["failed", ["again"]],
])("controls_of_%s", (state, controls) => expect(controlsOf({ state, policy })).toEqual(controls));
test("benchmark_without_a_measurement_says_nothing", () => {
  expect(benchmarkText({ nsPerWU: null, ask: 1n, policy })).toBeNull();
  expect(benchmarkText({ nsPerWU: 0, ask: 1n, policy })).toBeNull();
});
test("benchmark_without_a_price_tells_the_speed_alone", () =>
  expect(benchmarkText({ nsPerWU: 2, ask: null, policy })).toBe("Measured: 500 MWU a second for each Web Worker."));
test("benchmark_counts_workers_and_their_share_of_an_hour", () =>
  // 0.5 GWU/s x 2 workers x 50 % x 3,600 s = 1,800 GWU at 0.6 MANY each
  expect(benchmarkText({ nsPerWU: 2, ask: 6n * 10n ** 17n, policy })).toMatch("1,080 MANY"));
test("speed_is_cut_not_rounded", () => expect(speedOf(3)).toBe(333_333_333n));
