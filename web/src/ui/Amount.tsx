import { exactTokens, tokens, work } from "./numbers";

/** An amount of tokens; its title has every wei. */
export function Amount({ wei, unit = true }: { wei: bigint; unit?: boolean }) {
  return (
    <span className="number" title={exactTokens(wei)}>
      {tokens(wei)}
      {unit ? " MANY" : ""}
    </span>
  );
}

/** Work units; its title has the exact count. */
export function Work({ wu }: { wu: bigint }) {
  return (
    <span className="number" title={`${wu} WU`}>
      {work(wu)}
    </span>
  );
}
