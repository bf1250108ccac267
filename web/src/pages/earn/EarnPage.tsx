import { AllDevices } from "./AllDevices";
import { Desktop } from "./Desktop";
import "./earn.css";
import { Money } from "./Money";
import { ThisTab } from "./ThisTab";
import { WithOwner } from "./WithOwner";

/** The contributor's page: this tab as a device, the owner's money, all the owner's devices, and the desktop's commands. */
export default function EarnPage() {
  return (
    <div className="stack">
      <div className="stack-tight">
        <h1>Earn</h1>
        <p className="soft">
          Lend a processor to other people's programs and be paid for each task. This browser tab is a full device, with
          the same work and the same pay as one on a desktop.
        </p>
      </div>
      <ThisTab />
      <WithOwner>
        {(view) => (
          <>
            <Money view={view} />
            <AllDevices view={view} />
          </>
        )}
      </WithOwner>
      <Desktop />
    </div>
  );
}
