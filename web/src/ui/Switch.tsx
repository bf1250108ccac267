import { Switch as AriaSwitch, type SwitchProps } from "react-aria-components";
import type { ReactNode } from "react";
import "./Switch.css";

/** On or off. */
export function Switch({ children, ...props }: Omit<SwitchProps, "className" | "children"> & { children: ReactNode }) {
  return (
    <AriaSwitch {...props} className="switch">
      <span className="switch-track" aria-hidden="true" />
      <span>{children}</span>
    </AriaSwitch>
  );
}
