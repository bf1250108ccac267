import { Link } from "wouter";

/** For an address that no page has. */
export function NotFound() {
  return (
    <div className="stack">
      <h1>There is no such page</h1>
      <p>
        <Link href="/">To the front page</Link>
      </p>
    </div>
  );
}
