import type { ReactNode } from "react";
import "./Badge.css";

/** A word about a state. The colour never says it alone. */
export function Badge({
  tone = "plain",
  children,
}: {
  tone?: "plain" | "info" | "good" | "warn" | "bad";
  children: ReactNode;
}) {
  return <span className={`badge badge-${tone}`}>{children}</span>;
}
