import { useState, useSyncExternalStore } from "react";
import { browserDevice, type DeviceSnapshot } from "../../device";
import { Badge } from "../../ui/Badge";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { Agreement } from "./Agreement";
import { Authorise } from "./Authorise";
import { hasAgreed, keepAgreed, statusOf } from "./tab";
import { TabControls } from "./TabControls";
import { TabPolicy } from "./TabPolicy";
import { TabWork } from "./TabWork";

/** "Earn with this tab": nothing is made or run before the yes; then a key, its owner's consent, and the work. */
export function ThisTab() {
  const [agreed, setAgreed] = useState(hasAgreed);
  const agree = () => {
    keepAgreed(true);
    setAgreed(true);
  };
  return (
    <section className="card stack" aria-labelledby="this-tab">
      {agreed ? <TabDevice /> : <Agreement onAgree={agree} />}
    </section>
  );
}

function TabDevice() {
  const device = browserDevice();
  const it = useSyncExternalStore(device.subscribe, device.snapshot);
  const status = statusOf(it);
  return (
    <>
      <div className="row spread">
        <h2 id="this-tab">Earn with this tab</h2>
        <span aria-live="polite">
          <Badge tone={status.tone}>{status.word}</Badge>
        </span>
      </div>
      {it.lastError ? (
        <Notice tone="warn" title="The newest trouble">
          <p>{it.lastError}</p>
        </Notice>
      ) : null}
      <TabStage it={it} />
    </>
  );
}

/** What the device needs next: to be loaded, to learn whose it is, its owner's consent, or work. */
function TabStage({ it }: { it: DeviceSnapshot }) {
  const device = browserDevice();
  if (it.state === "failed" || it.state === "stopped") {
    return (
      <>
        <Notice tone="bad">
          <p>{statusOf(it).text}</p>
        </Notice>
        <TabControls it={it} device={device} />
      </>
    );
  }
  if (it.device === null) return <Spinner label="Loading the device" />;
  if (it.owner === null && !it.ownerKnown && !it.binding)
    return <Spinner label="Asking the chain whose this device is" />;
  if (it.owner === null) return <Authorise it={it} device={device} />;
  return (
    <>
      <TabControls it={it} device={device} />
      <TabWork it={it} />
      <TabPolicy it={it} device={device} />
    </>
  );
}
