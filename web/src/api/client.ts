import createClient from "openapi-fetch";
import type { components, paths } from "../generated/openapi";
import { ProblemError, problemOf } from "./problem";

/** The schemas of the market's API by name: `Schema<"QuoteBody">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** The market's API, on this page's own origin. */
export const api = createClient<paths>({ baseUrl: location.origin });

/**
 * What a call answered: `await ok(api.GET("/v1/network"))`.
 * @throws ProblemError where the market refused or did not answer.
 */
export async function ok<Data>(
  call: Promise<{ data?: Data; error?: unknown; response: Response }>,
): Promise<NonNullable<Data>> {
  let answer;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ProblemError("unreachable", "The market does not answer.", 0);
  }
  const { data, error, response } = answer;
  if (!response.ok) throw problemOf(response, error);
  return data as NonNullable<Data>;
}
