/**
 * Root of everything that a device in the browser raises. `reason` is a sentence for the contributor.
 *
 * DeviceError
 * ├── JournalCorrupt      a journal that contradicts itself: nothing may be signed on it
 * ├── ChainUnusable       the chain cannot be read, so no program can be checked
 * ├── LeaseRefused        a lease, bid, manifest, program or input that does not stand up to checking
 * ├── LeaseLeft           a lease that is given back because the device may not work now
 * ├── MarketError
 * │   ├── MarketUnreachable   no answer, or one that says "later"
 * │   ├── SessionRefused      the market does not know this session any more
 * │   └── MarketRefused       the market said no, with a stable code
 * └── IllegalTransition   a defect of this program: an event that the state has no answer to
 *
 * Beside it stand the protocol's DeviceFailure (the engine could not run a task, which is never a result) and
 * StorageUnusable (this browser keeps nothing, or no more).
 */
export class DeviceError extends Error {
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
    this.name = new.target.name;
  }
}

/** The journal contradicts itself. */
export class JournalCorrupt extends DeviceError {}

/** The chain cannot be read, or the market names none. */
export class ChainUnusable extends DeviceError {}

/** What a lease brought does not stand up to checking; nothing of it is run or signed. */
export class LeaseRefused extends DeviceError {}

/** The lease in hand is given back, because the device may not work now. */
export class LeaseLeft extends DeviceError {}

/** Root of what comes of talking to a market. */
export class MarketError extends DeviceError {}

/** No answer, or one that says "later"; `retryAfterS` is the market's own wish, 0 if it has none. */
export class MarketUnreachable extends MarketError {
  readonly retryAfterS: number;

  constructor(reason: string, retryAfterS = 0, options?: ErrorOptions) {
    super(reason, options);
    this.retryAfterS = retryAfterS;
  }
}

/** The session has ended; a new one is to be opened. */
export class SessionRefused extends MarketError {}

/** The market said no. `code` is the stable code of its problem+json, `period` set where it is period_closed. */
export class MarketRefused extends MarketError {
  readonly status: number;
  readonly code: string;
  readonly period: number | null;

  constructor(status: number, code: string, detail: string, period: number | null = null) {
    super(`${status} ${code}: ${detail}`);
    this.status = status;
    this.code = code;
    this.period = period;
  }
}

/** An event came that the state has no answer to. The message tells the story that led here. */
export class IllegalTransition extends DeviceError {}
