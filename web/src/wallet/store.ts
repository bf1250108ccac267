import type { Address, Hash } from "viem";
import { type Problem, WalletError } from "./messages";
import { forgetSession, keepSession, keptSession, type Session } from "./session";

/** The connected account, as far as it is known. `rightNetwork` is false without one. */
export type Account =
  | {
      status: "disconnected" | "connecting";
      address?: undefined;
      chainId?: undefined;
      wallet?: undefined;
      rightNetwork: false;
    }
  | { status: "connected"; address: Address; chainId: number; wallet: string; rightNetwork: boolean };

/** What wagmi tells of the connection. */
export type Connection =
  | { status: "disconnected" | "connecting" }
  | { status: "connected"; address: Address; chainId: number; wallet: string };

/** How far an action is. `hash` is the last transaction that was sent. */
export type ActionState<Result> =
  | { step: "idle" }
  | { step: "asking"; what: string }
  | { step: "sent"; what: string; hash: Hash; confirmations: number; needed: number }
  | { step: "done"; result: Result; hash?: Hash }
  | { step: "failed"; error: WalletError; hash?: Hash };

/** What an action tells while it works. */
export type Report = (state: Extract<ActionState<never>, { step: "asking" | "sent" }>) => void;

/** An action's hold on the account it was begun for. */
export type Flow = {
  readonly address: Address;
  /** Throws where the account, the network or the connection is another one since. */
  check(): void;
  /** Awaits what the wallet is asked; fails as soon as the account, the network or the connection changes. */
  during<T>(work: Promise<T>): Promise<T>;
};

/** What the page sees of the wallet. `wanted`: wagmi is to be loaded; `connecting`: our dialog is open. */
export type Snapshot = {
  account: Account;
  session: Session | null;
  wanted: boolean;
  choosing: boolean;
  failure: unknown;
};

const NOBODY: Account = { status: "disconnected", rightNetwork: false };

/** The wallet's state outside of React: small, loaded with the page. Everything heavy stands behind `engine`. */
export class WalletStore<Engine> {
  #snapshot: Snapshot;
  #listeners = new Set<() => void>();
  #flows = new Set<(error: WalletError) => void>();
  /** There as soon as an account is connected. */
  engine: Engine | null = null;

  constructor(
    readonly kept: Storage,
    wanted: boolean,
  ) {
    const account: Account = wanted ? { status: "connecting", rightNetwork: false } : NOBODY;
    this.#snapshot = { account, session: wanted ? keptSession(kept) : null, wanted, choosing: false, failure: null };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Snapshot => this.#snapshot;

  /** Opens our dialog, loading wagmi where that is not done. */
  choose(): void {
    this.#set({ wanted: true, choosing: true });
  }

  closeChoice(): void {
    this.#set({ choosing: false });
  }

  /** wagmi could not be loaded or started; null tries again. */
  fail(failure: unknown): void {
    this.#set(failure === null ? { failure } : { failure, account: NOBODY });
  }

  /** Takes over what wagmi says; `chainId` is the market's. Running flows stop where the account is another one. */
  connection(found: Connection, chainId: number): void {
    const before = this.#snapshot.account;
    const account: Account =
      found.status === "connected"
        ? { ...found, rightNetwork: found.chainId === chainId }
        : { status: found.status, rightNetwork: false };
    const problem = changeOf(before, account);
    this.#set({ account, session: this.#sessionFor(account) });
    if (problem) for (const stop of [...this.#flows]) stop(new WalletError(problem));
  }

  /** Keeps a person's session, or ends it. */
  session(session: Session | null): void {
    if (session) keepSession(this.kept, session);
    else forgetSession(this.kept);
    this.#set({ session });
  }

  /** Holds on to the account as it is. @throws WalletError "not-connected" or "wrong-network". */
  begin(): Flow {
    const { account } = this.#snapshot;
    if (account.status !== "connected") throw new WalletError("not-connected");
    if (!account.rightNetwork) throw new WalletError("wrong-network");
    const check = () => {
      const problem = changeOf(account, this.#snapshot.account);
      if (problem) throw new WalletError(problem);
    };
    return { address: account.address, check, during: (work) => this.#during(work, check) };
  }

  async #during<T>(work: Promise<T>, check: () => void): Promise<T> {
    let stop: (error: WalletError) => void = () => undefined;
    const stopped = new Promise<never>((_resolve, reject) => (stop = reject));
    this.#flows.add(stop);
    try {
      check();
      return await Promise.race([work, stopped]);
    } finally {
      this.#flows.delete(stop);
      // What the wallet answers after its flow was stopped concerns nobody any more.
      work.catch(() => undefined);
    }
  }

  #sessionFor(account: Account): Session | null {
    const { session } = this.#snapshot;
    if (!session || account.status === "connecting") return session;
    if (account.address === session.address) return session;
    forgetSession(this.kept);
    return null;
  }

  #set(change: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** What a flow that was begun for `before` hits now, or null where nothing changed for it. */
function changeOf(before: Account, now: Account): Problem | null {
  if (before.status !== "connected") return null;
  if (now.status !== "connected") return "disconnected";
  if (now.address !== before.address) return "account-switched";
  return now.chainId === before.chainId ? null : "network-switched";
}
