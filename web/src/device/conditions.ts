/** What a page can tell of the machine, and a worker cannot: battery, being hidden, being online. */
import type { Conditions } from "./policy.ts";

/** The Battery Status API, which not every browser has. */
interface Battery extends EventTarget {
  readonly charging: boolean;
}

/** Tells the conditions now and after each change; what it returns ends that. */
export function watchConditions(tell: (conditions: Conditions) => void): () => void {
  const ended = new AbortController();
  let battery: Battery | null = null;
  const look = () => {
    tell({
      onBattery: battery === null ? null : !battery.charging,
      isHidden: document.visibilityState === "hidden",
      isOnline: navigator.onLine,
    });
  };
  const { signal } = ended;
  document.addEventListener("visibilitychange", look, { signal });
  window.addEventListener("online", look, { signal });
  window.addEventListener("offline", look, { signal });
  void batteryOf(navigator).then((found) => {
    battery = found;
    battery?.addEventListener("chargingchange", look, { signal });
    if (!signal.aborted) look();
  });
  look();
  return () => {
    ended.abort();
  };
}

async function batteryOf(navigator: object): Promise<Battery | null> {
  const ask: unknown = Reflect.get(navigator, "getBattery");
  if (typeof ask !== "function") return null;
  try {
    return (await (ask.call(navigator) as Promise<Battery>)) ?? null;
  } catch {
    // A browser that forbids the question tells as much as one that does not know it.
    return null;
  }
}
