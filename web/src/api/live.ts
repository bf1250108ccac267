import { ProblemError } from "./problem";

/** One event of a job (docs/api.md, "Events"): its number, its type, its data. */
export type LiveEvent = { id: number; type: string; data: Record<string, unknown> };

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 15_000;

/**
 * Follows a job's events from `after` on until `signal` aborts or the job is over (204), resuming where it broke off.
 * `onState` hears whether the stream stands.
 */
export async function followJob(
  job: string,
  after: number,
  onEvent: (event: LiveEvent) => void,
  signal: AbortSignal,
  onState: (live: boolean) => void = () => undefined,
): Promise<void> {
  let last = after;
  let wait = RETRY_MIN_MS;
  while (!signal.aborted) {
    try {
      const response = await fetch(`/v1/jobs/${job}/events?after=${last}`, { signal });
      if (response.status === 204) return;
      if (!response.ok || !response.body)
        throw new ProblemError("unavailable", "The events do not come.", response.status);
      onState(true);
      wait = RETRY_MIN_MS;
      for await (const event of eventsOf(response.body)) {
        last = event.id;
        onEvent(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ProblemError && (error.status === 404 || error.status === 410)) throw error;
      onState(false);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, RETRY_MAX_MS);
  }
}

/** The events of a text/event-stream; comments and events without a number are left out. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<LiveEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value.replaceAll("\r", "");
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel();
  }
}

function eventOf(block: string): LiveEvent | null {
  const fields: Record<string, string[]> = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) (fields[line.slice(0, colon)] ??= []).push(line.slice(colon + 1).replace(/^ /, ""));
  }
  const id = Number(fields.id?.[0]);
  if (!fields.data || !Number.isInteger(id)) return null;
  return { id, type: fields.event?.[0] ?? "message", data: JSON.parse(fields.data.join("\n")) };
}
