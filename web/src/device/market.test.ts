import { afterEach, describe, expect, test, vi } from "vitest";

import { LeaseRefused, MarketRefused, MarketUnreachable, SessionRefused } from "./errors.ts";
import { ADDRESSES, DOMAIN, KEYS, START, bidOf, grantOf, inputsOf } from "./fakes.ts";
import { grantFromJson, grantToJson, keyOf } from "./grants.ts";
import { HttpMarket, type Delivery } from "./market.ts";
import { Session, type Hex, type Receipt } from "../protocol/index.ts";

const NAME: Hex = `0x${"ab".repeat(32)}`;
const KEY = keyOf({ jobId: NAME, leaseId: 7n });
const SESSION: Session = { device: ADDRESSES.device, issuedAt: START, nonce: NAME };

const GRANT = grantOf(bidOf(inputsOf(10)));
const RECEIPT: Receipt = {
  jobId: NAME,
  device: ADDRESSES.device,
  period: 0,
  spansHash: NAME,
  resultsRoot: NAME,
  count: 1,
  totalWU: 1n,
  totalSquaredWU: 1n,
  amount: 1n,
  postBy: START,
};
const DELIVERY: Delivery = { results: [], outputs: NAME, blob: null, receipt: RECEIPT, signature: "0x" };

interface Asked {
  url: string;
  init: RequestInit & { headers: Record<string, string> };
}

/** The market behind answers that come one after the other; an Error is thrown. */
function marketOf(...answers: (Response | Error)[]): { market: HttpMarket; asked: Asked[] } {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", (url: string, init: Asked["init"]) => {
    asked.push({ url, init });
    const answer = answers.shift();
    return answer instanceof Response ? Promise.resolve(answer) : Promise.reject(answer ?? new Error("no answer"));
  });
  return { market: new HttpMarket("https://market.example"), asked };
}

function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers });
}

function bodyOf(asked: Asked | undefined): unknown {
  return JSON.parse(String(asked?.init.body));
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("market", () => {
  test("call_no answer is out of reach", async () => {
    const { market } = marketOf(new TypeError("Failed to fetch"));
    await expect(market.heartbeat(KEY)).rejects.toThrow(MarketUnreachable);
  });

  test.each([429, 500, 503])("call_%i is out of reach for as long as the market says", async (status) => {
    const { market } = marketOf(json({ code: "busy" }, status, { "Retry-After": "7" }));
    await expect(market.heartbeat(KEY)).rejects.toMatchObject({ name: "MarketUnreachable", retryAfterS: 7 });
  });

  test("call_401 loses the session", async () => {
    const { market } = marketOf(json({ code: "session_expired" }, 401));
    await expect(market.heartbeat(KEY)).rejects.toThrow(SessionRefused);
  });

  test("call_refusal has its code and period, and its words are cleaned", async () => {
    const detail = `gone\u0007${"x".repeat(600)}`;
    const { market } = marketOf(json({ code: "period_closed", detail, period: 3 }, 409));
    const refused = (await market.heartbeat(KEY).catch((error: unknown) => error)) as MarketRefused;
    expect(refused).toBeInstanceOf(MarketRefused);
    expect([refused.code, refused.period]).toEqual(["period_closed", 3]);
    expect(refused.reason).not.toContain("\u0007");
    expect(refused.reason.length).toBeLessThan(550);
  });

  test.each(["", "not json", "[]", "{}"])("call_body %j in place of a network is out of reach", async (body) => {
    const { market } = marketOf(new Response(body));
    await expect(market.deployment()).rejects.toThrow(MarketUnreachable);
  });

  test("call_answer longer than it may be is out of reach", async () => {
    const { market } = marketOf(new Response(new Uint8Array(9 * 2 ** 20)));
    await expect(market.deployment()).rejects.toThrow(MarketUnreachable);
  });

  test("submit_answer that does not say accepted is no acceptance", async () => {
    const { market } = marketOf(json({ accepted: "yes", next: null }));
    await expect(market.submit(KEY, DELIVERY, true)).rejects.toThrow(MarketUnreachable);
  });

  test.each([undefined, null, [], {}, "lease", { ...grantToJson(GRANT), period: -1 }])(
    "submit_next lease %j is none, and the results are accepted all the same",
    async (next) => {
      const { market } = marketOf(json({ accepted: true, next }));
      expect(await market.submit(KEY, DELIVERY, true)).toBeNull();
    },
  );

  test("submit_next lease that nobody asked for is none", async () => {
    const { market, asked } = marketOf(json({ accepted: true, next: grantToJson(GRANT) }));
    expect(await market.submit(KEY, DELIVERY, false)).toBeNull();
    expect(bodyOf(asked[0])).toMatchObject({ next: false });
  });

  test("submit_next lease comes with the answer to results that carry their outputs", async () => {
    const { market, asked } = marketOf(json({ accepted: true, next: grantToJson(GRANT) }));
    const blob = Uint8Array.of(0, 255, 10, 128);
    expect(await market.submit(KEY, { ...DELIVERY, blob }, true)).toEqual(GRANT);
    expect(bodyOf(asked[0])).toMatchObject({ next: true, outputs: NAME, outputsData: "AP8KgA==" });
  });

  test("submit_outputs that were uploaded do not come along", async () => {
    const { market, asked } = marketOf(json({ accepted: true, next: null }));
    await market.submit(KEY, DELIVERY, true);
    expect(bodyOf(asked[0])).not.toHaveProperty("outputsData");
  });

  test("blob_missing or too long refuses the lease", async () => {
    const { market } = marketOf(new Response(null, { status: 404 }), new Response(new Uint8Array(5)));
    await expect(market.getBlob(NAME, 4)).rejects.toThrow(LeaseRefused);
    await expect(market.getBlob(NAME, 4)).rejects.toThrow(LeaseRefused);
  });

  test("session_token is sent from then on and never with the next opening", async () => {
    const opened = () => json({ token: "t0ken", expiresAt: START + 900 });
    const { market, asked } = marketOf(opened(), new Response(null, { status: 204 }), opened());
    const signature = Session.sign(SESSION, DOMAIN, KEYS.device);
    expect(await market.openSession(SESSION, signature)).toBe(START + 900);
    await market.heartbeat(KEY);
    await market.openSession(SESSION, signature);
    expect(asked.map(({ init }) => init.headers.Authorization)).toEqual([undefined, "Bearer t0ken", undefined]);
    expect(asked.every(({ init }) => init.redirect === "error" && init.credentials === "omit")).toBe(true);
    expect(asked[1]?.url).toBe(`https://market.example/v1/leases/${NAME}/7/heartbeat`);
  });

  test.each(["", "a b", "ü", 7])("session_token %j is none", async (token) => {
    const { market } = marketOf(json({ token, expiresAt: START }));
    await expect(market.openSession(SESSION, "0x")).rejects.toThrow(MarketUnreachable);
  });

  test("lease_comes through its JSON unchanged; none is null", async () => {
    const grant = grantOf(
      bidOf(inputsOf(10)),
      { spans: [2, 0] },
      { base: { spans: { firstWord: 0, words: [2n] }, count: 4, totalWU: 9n } },
    );
    const { market } = marketOf(json(grantToJson(grant)), new Response(null, { status: 204 }));
    expect(await market.nextLease(1)).toEqual(grant);
    expect(await market.nextLease(1)).toBeNull();
    expect(grantFromJson(JSON.parse(JSON.stringify(grantToJson(grant))))).toEqual(grant);
  });

  test.each([
    [[], null],
    [[{ priceWeiPerGWU: "5", devices: 1 }], 5n],
    [
      [
        { priceWeiPerGWU: "5", devices: 2 },
        { priceWeiPerGWU: "9", devices: 1 },
      ],
      5n,
    ],
    [
      [
        { priceWeiPerGWU: "5", devices: 1 },
        { priceWeiPerGWU: "9", devices: 2 },
      ],
      9n,
    ],
  ])("medianAsk_of %j is %s", async (asks, median) => {
    const { market } = marketOf(json({ asks }));
    expect(await market.medianAsk()).toBe(median);
  });
});
