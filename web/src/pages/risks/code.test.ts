import { describe, expect, it } from "vitest";
import { foundIn } from "./code";

describe("foundIn", () => {
  it.each([
    ["delegatecall", "0x60005af4", ["delegatecall"]],
    ["selfdestruct", "0x33ff", ["selfdestruct"]],
    ["a function of an owner", "0x638da5cb5b14", ["owner()"]],
    ["an upgrade and callcode", "0x633659cfe614f2", ["upgradeTo(address)", "callcode"]],
  ] as const)("names %s", (_, code, names) => {
    expect(foundIn(code)).toEqual(names);
  });

  it("takes no pushed data for an opcode", () => {
    expect(foundIn("0x61f4ff600000")).toEqual([]);
  });

  it("takes no metadata for code", () => {
    expect(foundIn("0x6000a164f4f4f4f40006")).toEqual([]);
    expect(foundIn("0x6000f464f4f4f4f40006")).toContain("delegatecall");
  });

  it("of a contract that is not there has nothing", () => {
    expect(foundIn("0x")).toEqual([]);
  });
});
