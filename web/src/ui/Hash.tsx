import { Copy } from "./Copy";
import "./Hash.css";

/** A hash, an address or an id, shortened; whole in its title, and copied by its button. */
export function Hash({ value, name, copy = true }: { value: string; name: string; copy?: boolean }) {
  const short = value.length > 20 ? `${value.slice(0, 8)}…${value.slice(-6)}` : value;
  return (
    <span className="hash">
      <code title={value}>{short}</code>
      {copy ? <Copy text={value} label={`Copy the ${name}`} /> : null}
    </span>
  );
}
