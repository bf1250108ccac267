import type { Schema } from "../../api/client";
import { type Hex, programId } from "../../protocol";

/** True when the program's id commits to all that the market tells of it. */
export function isTrue(program: Schema<"ProgramBody">): boolean {
  return (
    programId({
      assurance: program.class,
      originalHash: program.originalHash as Hex,
      rewrittenHash: program.rewrittenHash as Hex,
      codeRoot: program.codeRoot as Hex,
      initialMemoryRoot: program.initialMemoryRoot as Hex,
      limitWU: BigInt(program.limitWU),
      memoryPages: program.memoryPages,
      frameBytes: program.frameBytes,
      toolVersion: program.toolVersion,
    }) === program.programId
  );
}
