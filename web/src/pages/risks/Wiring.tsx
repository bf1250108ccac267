import type { Network } from "../../network/network";
import { Hash } from "../../ui/Hash";

type Reference = { readonly name: string; readonly to: string; readonly holds: boolean };

/** Where the contracts are, and that they point at each other. */
export function Wiring({
  references,
  addresses,
}: {
  references: readonly Reference[];
  addresses: Network["addresses"];
}) {
  const broken = references.filter(({ holds }) => !holds);
  return (
    <section className="card stack-tight" aria-labelledby="wiring">
      <h3 id="wiring">Where the contracts are</h3>
      <p>
        {broken.length === 0
          ? `The chain gives the same: all ${references.length} references from one contract to another lead to these addresses. Each was fixed at the deployment.`
          : "These references lead elsewhere than the market says:"}
      </p>
      {broken.length > 0 ? (
        <ul>
          {broken.map(({ name, to }) => (
            <li key={name}>
              {name} is not the {to} below
            </li>
          ))}
        </ul>
      ) : null}
      <dl className="lines lines-many">
        {Object.entries(addresses).map(([name, address]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Hash value={address} name={`address of ${name}`} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
