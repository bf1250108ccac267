/** The market refused, or did not answer; `code` is stable (docs/api.md), `status` 0 where nothing came back. */
export class ProblemError extends Error {
  override name = "ProblemError";

  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly retryAfterSeconds: number | null = null,
    readonly body: unknown = null,
  ) {
    super(message);
  }
}

/** The problem that an answer of application/problem+json tells. */
export function problemOf(response: Response, body: unknown): ProblemError {
  const told = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (key: string) => (typeof told[key] === "string" ? told[key] : "");
  const wait = Number(response.headers.get("retry-after"));
  const message = text("detail") || text("title") || `The market answered ${response.status}.`;
  return new ProblemError(
    text("code") || "unknown",
    message,
    response.status,
    Number.isFinite(wait) && wait > 0 ? wait : null,
    body,
  );
}

/** One sentence for a person, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof ProblemError && error.code === "rate_limited")
    return `Too many requests from here. Try again in ${error.retryAfterSeconds ?? 60} seconds.`;
  if (error instanceof TypeError && /fetch/i.test(error.message)) return "The market does not answer.";
  if (error instanceof Error && error.message) return error.message;
  return "Something failed, and it did not say what.";
}
