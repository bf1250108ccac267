import "./Spinner.css";

/** Something is awaited; `label` says what. */
export function Spinner({ label }: { label: string }) {
  return (
    <p className="spinner soft" role="status">
      <span className="spinner-dot" aria-hidden="true" />
      {label}…
    </p>
  );
}
