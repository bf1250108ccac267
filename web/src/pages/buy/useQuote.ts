import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, ok } from "../../api/client";
import type { Hex } from "../../protocol";
import type { Terms, UploadedInputs } from "./terms";
import { quoteOf } from "./quote";

/** A quote is asked for again so often; asks and devices change all the time. */
const REFRESH_MS = 30_000;

/** The quote for what was uploaded, kept fresh while the page is looked at. */
export function useQuote(program: Hex | null, uploaded: UploadedInputs | null, terms: Terms) {
  const { floorPpm, minStake } = terms;
  return useQuery({
    queryKey: ["quote", program, uploaded?.manifest, floorPpm, minStake.toString()],
    enabled: program !== null && uploaded !== null,
    queryFn: async ({ signal }) => {
      const body = {
        programId: program ?? "",
        manifest: uploaded?.manifest ?? "",
        rateFloorPpm: floorPpm,
        minStake: minStake.toString(),
      };
      return quoteOf(await ok(api.POST("/v1/quotes", { body, signal })), floorPpm);
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.error ? false : REFRESH_MS),
    refetchOnWindowFocus: false,
    retry: false,
    staleTime: REFRESH_MS,
  });
}
