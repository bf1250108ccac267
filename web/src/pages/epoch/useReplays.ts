import { useEffect, useMemo, useRef, useState } from "react";
import { type GivenFiles, storeWith } from "../../audit/blobs";
import type { Leaf } from "../../audit/evidence";
import type { EpochFacts } from "../../audit/facts";
import { runKey } from "../../audit/judgement";
import { PageRunner } from "../../audit/pageRunner";
import { readProgram } from "../../audit/reader";
import { type ProgramWord, type Replayed, TaskReplayer } from "../../audit/task";
import { clientOf, useChain } from "../../chain/client";
import { viewsAt } from "../../chain/views";

/** A task to run again: its leaf and its position in the receipt. */
export type Wanted = { readonly leaf: Leaf; readonly position: number };

/** What was replayed in this page, and what goes on. */
export type Replays = {
  readonly results: ReadonlyMap<string, Replayed>;
  readonly progress: { readonly done: number; readonly total: number } | null;
  readonly error: unknown;
  readonly replay: (wanted: readonly Wanted[]) => void;
  readonly stop: () => void;
};

/** Runs tasks again on a thread of this page, one after another; leaving the page ends it. */
export function useReplays(facts: EpochFacts | undefined, files: GivenFiles): Replays {
  const network = useChain()?.network;
  const [results, setResults] = useState<ReadonlyMap<string, Replayed>>(new Map());
  const [progress, setProgress] = useState<Replays["progress"]>(null);
  const [error, setError] = useState<unknown>(null);
  const stopped = useRef<AbortController | null>(null);
  const runner = useMemo(() => new PageRunner(), []);
  useEffect(
    () => () => {
      stopped.current?.abort();
      runner.close();
    },
    [runner],
  );

  const work = async (wanted: readonly Wanted[], signal: AbortSignal) => {
    if (!facts || !network) return;
    const view = viewsAt(clientOf(network), network, facts.log.head.number);
    const replayer = new TaskReplayer(storeWith(files), runner.run);
    const words = new Map<string, ProgramWord>();
    for (const [done, { leaf, position }] of wanted.entries()) {
      setProgress({ done, total: wanted.length });
      const { programId } = leaf.bid;
      const program = words.get(programId) ?? (await readProgram(view, facts.log, programId));
      words.set(programId, program);
      const found = await replayer.replay(leaf, position, program);
      if (signal.aborted) return;
      setResults((held) => new Map(held).set(runKey(leaf.number, position), found));
    }
  };

  const replay = (wanted: readonly Wanted[]) => {
    if (stopped.current) return;
    const mine = new AbortController();
    stopped.current = mine;
    setError(null);
    work(wanted, mine.signal)
      .catch((failed: unknown) => {
        if (!mine.signal.aborted) setError(failed);
      })
      .finally(() => {
        if (stopped.current === mine) stopped.current = null;
        setProgress(null);
      });
  };
  const stop = () => {
    stopped.current?.abort();
    stopped.current = null;
    runner.close();
    setProgress(null);
  };
  return { results, progress, error, replay, stop };
}
