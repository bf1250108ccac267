import type { Address } from "viem";

/** A person signed in at the market; `expiresAt` in Unix seconds. */
export type Session = { address: Address; token: string; expiresAt: number };

const KEY = "multitude.session";

/** The session that this tab keeps, unless it is over or unreadable. */
export function keptSession(storage: Storage, now = Date.now()): Session | null {
  const text = storage.getItem(KEY);
  if (text === null) return null;
  const session = parse(text);
  if (session && session.expiresAt * 1000 > now) return session;
  storage.removeItem(KEY);
  return null;
}

export const keepSession = (storage: Storage, session: Session): void => storage.setItem(KEY, JSON.stringify(session));

export const forgetSession = (storage: Storage): void => storage.removeItem(KEY);

function parse(text: string): Session | null {
  try {
    const found = JSON.parse(text) as Partial<Session> | null;
    const { address, token, expiresAt } = found ?? {};
    return address && token && typeof expiresAt === "number" ? { address, token, expiresAt } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
