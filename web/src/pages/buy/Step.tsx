import type { ReactNode } from "react";
import { Badge } from "../../ui/Badge";

/** Where a step of the page stands: done, the one to do next, or waiting for those before it. */
export type Standing = "done" | "next" | "waiting";

/** One step: its number, its title, where it stands; its content, or what it waits for. */
export function Step({
  number,
  title,
  standing,
  waitsFor,
  children,
}: {
  number: number;
  title: string;
  standing: Standing;
  waitsFor?: string;
  children?: ReactNode;
}) {
  const id = `step-${number}`;
  return (
    <section className={`card stack step step-${standing}`} aria-labelledby={id}>
      <div className="row">
        <span className="step-number" aria-hidden="true">
          {standing === "done" ? "✓" : number}
        </span>
        <h2 id={id}>
          <span className="visually-hidden">Step {number}: </span>
          {title}
        </h2>
        {standing === "done" ? <Badge tone="good">done</Badge> : null}
      </div>
      {standing === "waiting" ? <p className="soft">{waitsFor}</p> : children}
    </section>
  );
}
