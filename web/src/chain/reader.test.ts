import { RpcRequestError, type PublicClient } from "viem";
import { describe, expect, it } from "vitest";
import type { Network } from "../network/network";
import { LOG_RANGE, LogReader, scan } from "./reader";

const NETWORK = { addresses: {}, deployBlock: 1n, confirmations: 2 } as unknown as Network;

/** A chain whose blocks have these hashes (block 1 first); counts the ranges that are asked for. */
function chain(hashes: string[], mostBlocks = Infinity) {
  const asked: [number, number][] = [];
  const client = {
    getBlock: ({ blockNumber }: { blockNumber?: bigint }) => {
      const number = blockNumber ?? BigInt(hashes.length);
      return Promise.resolve({ number, hash: hashes[Number(number) - 1], timestamp: number });
    },
    getLogs: ({ fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint }) => {
      if (Number(toBlock - fromBlock) >= mostBlocks)
        return Promise.reject(new RpcRequestError({ body: {}, error: { code: -32005, message: "too many" }, url: "" }));
      asked.push([Number(fromBlock), Number(toBlock)]);
      return Promise.resolve([]);
    },
  };
  return { client: client as unknown as PublicClient, asked, hashes };
}

const names = (count: number, mark = "a") => Array.from({ length: count }, (_, i) => `0x${mark}${i}`);

describe("scan", () => {
  it("asks in bounded ranges that leave no block out", async () => {
    const { client, asked } = chain(names(5000));
    await scan(client, NETWORK, 1, 5000);
    expect(asked).toEqual([
      [1, LOG_RANGE],
      [LOG_RANGE + 1, 2 * LOG_RANGE],
      [2 * LOG_RANGE + 1, 5000],
    ]);
  });

  it("asks for fewer blocks where the node refuses", async () => {
    const { client, asked } = chain(names(100), 40);
    await scan(client, NETWORK, 1, 100);
    expect(asked.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  });

  it("gives up where the node refuses one block", async () => {
    const { client } = chain(names(3), 0);
    await expect(scan(client, NETWORK, 1, 3)).rejects.toThrow("too many");
  });
});

describe("LogReader", () => {
  it("reads what is deep once, the newest blocks again", async () => {
    const { client, asked, hashes } = chain(names(10));
    const reader = new LogReader(client, NETWORK);
    await reader.read();
    hashes.push("0xnew");
    await reader.read();
    expect(asked).toEqual([
      [1, 10],
      [9, 11],
    ]);
  });

  it("asks nothing where the head is the same", async () => {
    const { client, asked } = chain(names(10));
    const reader = new LogReader(client, NETWORK);
    expect(await reader.read()).toBe(await reader.read());
    expect(asked).toHaveLength(1);
  });

  it("begins anew where a deep block was reorganised away", async () => {
    const { client, asked, hashes } = chain(names(10));
    const reader = new LogReader(client, NETWORK);
    await reader.read();
    hashes.splice(5, 5, ...names(6, "b"));
    await reader.read();
    expect(asked.at(-1)).toEqual([1, 11]);
  });

  it("refuses a chain that changes while it is read", async () => {
    const { client, hashes } = chain(names(10));
    const swapped = Object.assign(Object.create(client), {
      getLogs: () => {
        hashes[9] = "0xother";
        return Promise.resolve([]);
      },
    }) as PublicClient;
    await expect(new LogReader(swapped, NETWORK).read()).rejects.toThrow("changed");
  });
});
