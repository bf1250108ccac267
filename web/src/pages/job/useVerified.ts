import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useChain } from "../../chain/client";
import { blobOf, settlementOf } from "./chain";
import { save, zipNameOf } from "./download";
import type { Tasks } from "./tasks";
import type { Job } from "./useJob";
import { verifyAside, verifyingThread } from "./verification";

/** Verifies a job's final results on a thread of this page and saves them; `checked` counts tasks while that runs. */
export function useVerified(job: Job, tasks: Tasks) {
  const chain = useChain();
  const [checked, setChecked] = useState(0);
  const leaving = useRef<AbortController | null>(null);
  useEffect(() => () => leaving.current?.abort(), []);
  const mutation = useMutation({
    mutationFn: async () => {
      if (!chain) throw new Error("The market has not told its network yet.");
      const mine = (leaving.current = new AbortController());
      setChecked(0);
      const settlement = await settlementOf(chain.client, chain.network, job);
      const replayed = tasks.drawn.map((drawn, task) => drawn & (tasks.attested[task] ?? 0));
      const work = { ...settlement, replayed };
      const verified = await verifyAside(verifyingThread(), work, blobOf, setChecked, mine.signal);
      save(verified.zip, zipNameOf("results", job.jobId));
      return verified.tasks;
    },
  });
  return { ...mutation, checked };
}
