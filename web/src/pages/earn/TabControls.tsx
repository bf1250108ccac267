import type { BrowserDevice, DeviceSnapshot } from "../../device";
import { Button } from "../../ui/Button";
import { type Control, controlsOf, statusOf } from "./tab";

const NAMES: Record<Control, string> = {
  start: "Start earning",
  resume: "Resume",
  pause: "Pause",
  finish: "Finish",
  stop: "Stop at once",
  again: "Try again",
};

const PRIMARY: readonly Control[] = ["start", "resume", "again"];

/** Start, pause, finish, with the sentence that says how the device stands and why. */
export function TabControls({ it, device }: { it: DeviceSnapshot; device: BrowserDevice }) {
  const press: Record<Control, () => void> = {
    start: () => device.start(),
    resume: () => device.start(),
    again: () => device.start(),
    pause: () => device.pause(),
    finish: () => device.finish(),
    stop: () => device.finish(),
  };
  const controls = controlsOf(it);
  return (
    <div className="stack-tight">
      {it.state === "failed" || it.state === "stopped" ? null : (
        <p role="status" className="earn-status">
          {statusOf(it).text}
        </p>
      )}
      <div className="row">
        {controls.map((control) => (
          <Button key={control} kind={PRIMARY.includes(control) ? "primary" : "plain"} onPress={press[control]}>
            {NAMES[control]}
          </Button>
        ))}
      </div>
      {controls.includes("finish") ? (
        <p className="small soft">
          Pause keeps the session and takes no new work; Finish ends after the work in hand. A closed tab loses nothing
          that was accepted: the next one goes on where it was.
        </p>
      ) : null}
    </div>
  );
}
