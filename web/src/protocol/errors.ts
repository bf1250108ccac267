/** Root of everything that bad data raise here. `reason` is a sentence for the one who sent them. */
export class ProtocolError extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
    this.name = new.target.name;
  }
}

/** A value outside its type: a number out of range, bytes of the wrong length, malformed JSON. */
export class EncodingInvalid extends ProtocolError {}

/** 65 bytes that are no signature, a high s, or a signature of somebody else. */
export class SignatureInvalid extends ProtocolError {}

/** No leaves, an index outside the tree, sums past their type. */
export class TreeInvalid extends ProtocolError {}

/** A proof of the wrong length or of another root. */
export class ProofInvalid extends ProtocolError {}

/** Spans outside the job, repeated, or a bitmap that is not in its one canonical form. */
export class SpansInvalid extends ProtocolError {}

/** A leaf that no claim would accept: amount, WU or count past its limit. */
export class MoneyInvalid extends ProtocolError {}

/** A draw over tasks that are not the receipt's. */
export class DrawInvalid extends ProtocolError {}

/** Verdicts and digests that do not belong together. */
export class VerdictsInvalid extends ProtocolError {}

/** A manifest blob that is malformed, too large, or of other inputs. */
export class ManifestInvalid extends ProtocolError {}

/** An epoch's data blob that contradicts itself, its signatures or its posting. */
export class EpochDataInvalid extends ProtocolError {}

/** An output blob that is malformed or of other tasks. */
export class OutputBlobInvalid extends ProtocolError {}
