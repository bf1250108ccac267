/** "Earn with this tab": a full device in the browser, by the same protocol as the desktop's `worker/`. */
export { BrowserDevice, KEY_NOTICE, browserDevice, type DeviceWorker } from "./BrowserDevice.ts";
export type { DevicePolicy } from "./policy.ts";
export type { DeviceSnapshot, DeviceState, Earned, LeaseView } from "./snapshot.ts";
