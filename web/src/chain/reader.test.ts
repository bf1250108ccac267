import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { RpcRequestError, encodeAbiParameters, encodeEventTopics, type PublicClient } from "viem";
import { beforeEach, describe, expect, it } from "vitest";
import type { Network } from "../network/network";
import { ABIS } from "./contracts";
import { LogKeeper } from "./keeper";
import type { EventLog } from "./log";
import { LOG_RANGE, LogReader, scan } from "./reader";

const TOKEN = `0x${"11".repeat(20)}` as const;
const NETWORK = {
  chainId: 31337,
  rpc: "http://rpc.example",
  addresses: { MultitudeToken: TOKEN },
  deployBlock: 1n,
  confirmations: 2,
} as unknown as Network;

/** The log of a transfer of as many wei as the block's hash says, in it. */
function logIn(block: number, hash: string | undefined) {
  const topics = encodeEventTopics({
    abi: ABIS.MultitudeToken,
    eventName: "Transfer",
    args: { from: TOKEN, to: TOKEN },
  });
  const wei = BigInt(Number.parseInt(hash?.slice(3) ?? "0", 10)) + (hash?.startsWith("0xb") ? 1_000_000n : 0n);
  const data = encodeAbiParameters([{ type: "uint256" }], [wei]);
  return { address: TOKEN, blockNumber: BigInt(block), logIndex: 0, transactionHash: TOKEN, topics, data };
}

/**
 * A chain whose blocks have these hashes (block 1 first), of which every seventh has an event; counts the ranges that
 * are asked for.
 */
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
      const blocks = Array.from({ length: Number(toBlock - fromBlock) + 1 }, (_, i) => Number(fromBlock) + i);
      const full = blocks.filter((block) => block % 7 === 0);
      return Promise.resolve(full.map((block) => logIn(block, hashes[block - 1])));
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

describe("LogReader with a keeper", () => {
  beforeEach(() => {
    globalThis.indexedDB = new IDBFactory();
  });

  /** A visit: reads once; what it found and the ranges that it asked for. */
  async function visit(hashes: string[], network = NETWORK): Promise<{ log: EventLog; asked: [number, number][] }> {
    const { client, asked } = chain(hashes);
    return { log: await new LogReader(client, network, new LogKeeper(network)).read(), asked };
  }

  /** What somebody finds who keeps nothing. */
  async function afresh(hashes: string[]): Promise<EventLog> {
    return new LogReader(chain(hashes).client, NETWORK).read();
  }

  it("asks the next visit for what is new alone, and finds the same", async () => {
    await visit(names(300));
    const { log, asked } = await visit(names(310));
    expect(asked).toEqual([[299, 310]]);
    expect(log.events).toEqual((await afresh(names(310))).events);
    expect(log.events.length).toBeGreaterThan(5);
  });

  it("drops what it has of another chain of the same id", async () => {
    await visit(names(300));
    const { log, asked } = await visit(names(400, "b"));
    expect(asked).toEqual([[1, 400]]);
    expect(log.events).toEqual((await afresh(names(400, "b"))).events);
    expect((await visit(names(400, "b"))).asked).toEqual([[399, 400]]);
  });

  it("drops what it has where the chain is shorter now", async () => {
    await visit(names(300));
    expect((await visit(names(20))).asked).toEqual([[1, 20]]);
  });

  it.each([
    ["deployment", { addresses: { MultitudeToken: TOKEN, Faucet: TOKEN } }],
    ["deployment's block", { deployBlock: 2n }],
    ["chain id", { chainId: 31338 }],
    ["RPC", { rpc: "http://other.example" }],
  ])("does not use what it has of another %s", async (_, changes) => {
    await visit(names(300));
    const network = { ...NETWORK, ...changes } as Network;
    const { asked } = await visit(names(300), network);
    expect(asked).toEqual([[Number(network.deployBlock), 300]]);
  });

  it("drops what it has where its end was reorganised away", async () => {
    const hashes = names(300);
    await visit(hashes);
    hashes.splice(290, 10, ...names(12, "b"));
    const { log, asked } = await visit(hashes);
    expect(asked).toEqual([[1, 302]]);
    expect(log.events).toEqual((await afresh(hashes)).events);
  });

  it("keeps nothing of a chain that changes while it is read", async () => {
    const { client, hashes } = chain(names(3 * LOG_RANGE));
    const swapped = Object.assign(Object.create(client), {
      getLogs: async (range: { fromBlock: bigint; toBlock: bigint }) => {
        const logs = await client.getLogs(range as never);
        hashes.splice(0, hashes.length, ...names(3 * LOG_RANGE, "b"));
        return logs;
      },
    }) as PublicClient;
    const reader = new LogReader(swapped, NETWORK, new LogKeeper(NETWORK));
    await expect(reader.read()).rejects.toThrow("changed");
    const { log } = await visit(hashes);
    expect(log.events).toEqual((await afresh(hashes)).events);
  });

  it("goes on where a long read was left, and finds the same", async () => {
    const { client, asked, hashes } = chain(names(3 * LOG_RANGE));
    const cut = Object.assign(Object.create(client), {
      getLogs: (range: { fromBlock: bigint; toBlock: bigint }) =>
        asked.length === 2 ? Promise.reject(new Error("left")) : client.getLogs(range as never),
    }) as PublicClient;
    await expect(new LogReader(cut, NETWORK, new LogKeeper(NETWORK)).read()).rejects.toThrow("left");
    const second = await visit(hashes);
    expect(second.asked).toEqual([[2 * LOG_RANGE + 1, 3 * LOG_RANGE]]);
    expect(second.log.events).toEqual((await afresh(hashes)).events);
  });

  it("leaves the keeping to the tab that was faster", async () => {
    const { client, hashes } = chain(names(300));
    const tabs = [1, 2].map(() => new LogReader(client, NETWORK, new LogKeeper(NETWORK)));
    for (const tab of tabs) await tab.read();
    hashes.push(...Array.from({ length: 100 }, (_, i) => `0xa${300 + i}`));
    const logs = await Promise.all(tabs.map((tab) => tab.read()));
    const { log, asked } = await visit(hashes);
    expect(asked).toEqual([[399, 400]]);
    for (const { events } of [...logs, log]) expect(events).toEqual((await afresh(hashes)).events);
  });

  it("reads as ever where the browser keeps nothing", async () => {
    globalThis.indexedDB = {
      open: () => {
        throw new DOMException("The operation is insecure.", "SecurityError");
      },
    } as unknown as IDBFactory;
    expect((await visit(names(300))).asked).toEqual([[1, 300]]);
    expect((await visit(names(300))).asked).toEqual([[1, 300]]);
  });
});
