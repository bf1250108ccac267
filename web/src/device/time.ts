/** The clock of this machine. */
import type { Clock } from "./agent.ts";

/** Real time. */
export const wallClock: Clock = {
  now: () => Date.now() / 1000,
  sleep: (seconds, signal) =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, seconds * 1000);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
    }),
};
