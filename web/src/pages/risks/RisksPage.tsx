import { Holdings } from "./Holdings";
import { NoKeys } from "./NoKeys";
import { Parameters } from "./Parameters";
import { SAID } from "./said";
import "./risks.css";

/** What can go wrong, and who can change what: as the chain says where it can. */
export default function RisksPage() {
  return (
    <div className="stack risks">
      <h1>Risks</h1>
      <p className="prose">
        What Multitude does not protect you from, who can change what, and whether the contracts hold what they owe.
      </p>
      <section className="stack" aria-labelledby="openly">
        <h2 id="openly">Said openly</h2>
        <ul className="said">
          {SAID.map(([claim, more]) => (
            <li key={claim}>
              <strong>{claim}</strong> {more}
            </li>
          ))}
        </ul>
      </section>
      <section className="stack" aria-labelledby="who">
        <h2 id="who">Who can change what</h2>
        <p className="prose">
          Nobody can change a contract. There are no owner&apos;s keys, no pauses and no proxies; addresses and
          parameters were fixed at the deployment, and a mend is a new deployment that one has to move to. A settler
          sets its own fee, below the cap; a job keeps the fee that it was opened with.
        </p>
        <NoKeys />
        <Parameters />
      </section>
      <section className="stack" aria-labelledby="balances">
        <h2 id="balances">Balances against obligations</h2>
        <p className="prose">
          Each contract should hold exactly what it owes. This page adds up what every account, job, device and verifier
          is owed that an event names; a token sent to a contract by mistake would show as too much.
        </p>
        <Holdings />
        <p className="small soft prose">
          Not checked here: that the deployed code is that of the sources (
          <code>multitude audit verify-deployment</code> does), that this page is the one from the repository, and
          native coin in contracts other than the panel.
        </p>
      </section>
    </div>
  );
}
