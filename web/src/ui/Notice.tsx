import type { ReactNode } from "react";
import "./Notice.css";

const ROLES = { info: undefined, good: "status", warn: "status", bad: "alert" } as const;

/** A message in the page; a bad one is announced at once, good ones and warnings when there is time. */
export function Notice({
  tone = "info",
  title,
  children,
}: {
  tone?: "info" | "good" | "warn" | "bad";
  title?: string;
  children?: ReactNode;
}) {
  return (
    <div className={`notice notice-${tone}`} role={ROLES[tone]}>
      {title ? <strong>{title}</strong> : null}
      {children}
    </div>
  );
}
