import { useNetwork } from "../../network/network";
import { Copy } from "../../ui/Copy";
import { useAccount } from "../../wallet";
import { SignBinding } from "./SignBinding";

/** What a line of commands is for, and the line. */
type Step = { what: string; line: string };

/** The commands that make a desktop a device of an owner (docs/contributors.md). */
export function stepsOf(market: string, rpc: string, owner: string): Step[] {
  return [
    {
      what: "Set the machine up: it says what will run and asks, and prints what your wallet is to sign",
      line: `multitude worker init --print-binding \\\n  --market ${market} \\\n  --rpc ${rpc || "RPC_URL"} \\\n  --owner ${owner}`,
    },
    {
      what: "Hand it your signature (made below, with this page's wallet)",
      line: "multitude worker init --owner-signature 0x…",
    },
    { what: "Look whether anything is wrong, then work", line: "multitude worker doctor\nmultitude worker run" },
    {
      what: "See how it is, what it earned, and end after the work in hand",
      line: "multitude worker status\nmultitude worker earnings\nmultitude worker finish",
    },
  ];
}

/** How to earn with a desktop: faster than a tab, and it works with the browser closed. */
export function Desktop() {
  const { data: network } = useNetwork();
  const account = useAccount();
  const owner = account.status === "connected" && account.address ? account.address : "YOUR_ADDRESS";
  return (
    <section className="card stack" aria-labelledby="desktop">
      <h2 id="desktop">Earn with a desktop</h2>
      <p>
        A desktop&apos;s device works with the browser closed, rests when you use the machine, and takes programs before
        seats have attested them. With the project set up on the machine (<code>make setup</code> in its checkout):
      </p>
      <ol className="stack-tight earn-steps">
        {stepsOf(location.origin, network?.rpc ?? "", owner).map(({ what, line }) => (
          <li key={what}>
            <div className="row spread earn-line">
              <p className="small">{what}</p>
              <Copy text={line} label="Copy the commands" />
            </div>
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a long line scrolls by keyboard */}
            <pre className="earn-commands mono" tabIndex={0} role="region" aria-label={what}>
              {line}
            </pre>
          </li>
        ))}
      </ol>
      <SignBinding />
    </section>
  );
}
