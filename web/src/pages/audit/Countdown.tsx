import { duration } from "../../ui/numbers";

/** The time left until `at`, both in the chain's Unix seconds; what it waits for is its title. */
export function Countdown({ at, now, what }: { at: number; now: number; what: string }) {
  const left = at - now;
  return (
    <span className="number" title={what}>
      {left > 0 ? duration(left) : "due"}
    </span>
  );
}
