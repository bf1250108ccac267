import { useState, useSyncExternalStore } from "react";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Switch } from "../../ui/Switch";
import type { Approvals, Waiting } from "./approvals";

/** The development wallet's window: what it is to sign, in words, with Sign and Reject. */
export function ApprovalDialog({ approvals }: { approvals: Approvals }) {
  const waiting = useSyncExternalStore(approvals.subscribe, approvals.first);
  return waiting ? <Ask key={waiting.id} waiting={waiting} /> : null;
}

function Ask({ waiting }: { waiting: Waiting }) {
  const [trust, setTrust] = useState(false);
  const answer = (yes: boolean) => waiting.answer(yes, trust);
  return (
    <Dialog title="Development wallet" role="alertdialog" isOpen onClose={() => answer(false)}>
      <p>
        <strong>{waiting.title}</strong>
      </p>
      <dl className="facts wallet-request">
        {waiting.facts.map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Switch isSelected={trust} onChange={setTrust}>
        Do not ask again until this page is loaded anew
      </Switch>
      <div className="row">
        <Button kind="primary" onPress={() => answer(true)}>
          {waiting.kind === "connect" ? "Connect" : "Sign"}
        </Button>
        <Button onPress={() => answer(false)}>Reject</Button>
      </div>
      <p className="small soft">
        Its key was made in this browser, lies open in it and is worth nothing: it is for this local network only.
      </p>
    </Dialog>
  );
}
