import { useState } from "react";
import { Button } from "react-aria-components";
import "./Hash.css";

const SHEETS = "M5 5V2h9v9h-3M2 5h9v9H2z";
const TICK = "M2 8l4 4 8-9";

/** Copies a text and says so. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <Button className="copy" aria-label={done ? "Copied" : label} onPress={() => void copy()}>
      <svg
        viewBox="0 0 16 16"
        width="14"
        height="14"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        aria-hidden="true"
      >
        <path d={done ? TICK : SHEETS} />
      </svg>
    </Button>
  );
}
