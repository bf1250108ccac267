import { Button as AriaButton, type ButtonProps } from "react-aria-components";
import "./Button.css";

/**
 * A button; while `busy` it keeps its place and the focus but takes no presses. (React Aria's own isPending announces
 * an element that names the button, which is left behind when the button goes away.)
 */
export function Button({
  kind = "plain",
  busy = false,
  onPress,
  ...props
}: Omit<ButtonProps, "className" | "isPending"> & { kind?: "plain" | "primary" | "quiet" | "danger"; busy?: boolean }) {
  const waiting = busy ? { "data-pending": true, "aria-disabled": true } : { onPress };
  return <AriaButton {...props} {...waiting} className={`button button-${kind}`} />;
}
