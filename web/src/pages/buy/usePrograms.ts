import { useQuery } from "@tanstack/react-query";
import { api, ok, type Schema } from "../../api/client";
import { knownProgram } from "./catalogue";

/** A program as the market tells it. */
export type Program = Schema<"ProgramBody">;

const SETTLING_MS = 2_000;

/** The market's programs, those of this project first; one whose id does not commit to what is told of it is left out. */
export const usePrograms = () =>
  useQuery({
    queryKey: ["programs"],
    queryFn: async () => {
      const { isTrue } = await import("./truth");
      const { programs } = await ok(api.GET("/v1/programs", { params: { query: { limit: 200 } } }));
      const rank = (program: Program) => (knownProgram(program.originalHash) ? 0 : 1);
      return programs.filter(isTrue).toSorted((a, b) => rank(a) - rank(b) || nameOf(a).localeCompare(nameOf(b)));
    },
    refetchInterval: ({ state }) =>
      state.data?.some((program) => program.state !== "registered") ? SETTLING_MS : false,
  });

/** What a program is called here: its own name where it is known, else the name its author gave, else its id. */
export const nameOf = (program: Program): string =>
  knownProgram(program.originalHash)?.name ?? program.name ?? `${program.programId.slice(0, 10)}…`;

/** What devices ask now. */
export const useBook = () =>
  useQuery({ queryKey: ["book"], queryFn: () => ok(api.GET("/v1/book")), refetchInterval: 10_000 });
