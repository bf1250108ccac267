/**
 * The Web Worker that the device lives in. It has no page to be drawn, so a hidden tab's slow timers do not reach it:
 * heartbeats go on. Guests run in workers of their own (`task.ts`), which it starts.
 */
import { RpcChain } from "./chain.ts";
import { DeviceHost, sentenceOf } from "./host.ts";
import { openDeviceStore } from "./journal.ts";
import { HttpMarket } from "./market.ts";
import { WorkerRunner } from "./runner.ts";
import type { Order, Word } from "./snapshot.ts";
import { wallClock } from "./time.ts";

function tell(word: Word): void {
  self.postMessage(word);
}

const host = new DeviceHost({
  marketOf: (closing) => new HttpMarket("", closing),
  chainOf: (deployment) => new RpcChain(deployment),
  openStore: openDeviceStore,
  locks: navigator.locks,
  runner: new WorkerRunner(() => new Worker(new URL("./task.ts", import.meta.url), { type: "module" })),
  clock: wallClock,
  random: Math.random,
  cores: navigator.hardwareConcurrency || 1,
  browser: `${navigator.userAgent}, ${navigator.hardwareConcurrency || 1} processors`,
  tell: (snapshot) => {
    tell({ is: "snapshot", snapshot });
  },
});

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case "start":
      return host.start();
    case "pause":
      return host.pause();
    case "finish":
      return host.finish();
    case "policy":
      return host.setPolicy(order.changes);
    case "conditions":
      host.setConditions(order.conditions);
      return;
    case "typed":
      tell({ is: "answer", id: order.id, typed: await host.typed(order.owner) });
      return;
    case "bind":
      await host.bind(order.owner, order.signature);
      tell({ is: "answer", id: order.id });
  }
}

self.addEventListener("message", ({ data }: MessageEvent<Order>) => {
  obey(data).catch((error: unknown) => {
    if (data.do === "typed" || data.do === "bind") tell({ is: "answer", id: data.id, error: sentenceOf(error) });
    else throw error;
  });
});

void host.open();
