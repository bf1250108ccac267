import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, ok } from "../../api/client";
import { followJob, type LiveEvent } from "../../api/live";
import { ProblemError } from "../../api/problem";
import { lineOf, type StoryLine } from "./story";
import { copyOf, fold, newTasks, putResult, type Tasks } from "./tasks";
import { type Delivery, deliveryOf } from "./throughput";

/** What a job's events come to. `isLive`: the stream stands; `isGone`: the market has cleaned the events away. */
export type Story = {
  tasks: Tasks;
  lines: readonly StoryLine[];
  deliveries: readonly Delivery[];
  isLive: boolean;
  isGone: boolean;
};

/** Lines kept for the page; older ones go first. */
const LINES_MAX = 500;
const GATHER_MS = 200;
const PAGE = 1_000;

/** Follows a job from its beginning, so that a reload loses nothing; resumes where the stream broke. */
export function useStory(job: string, count: number): Story {
  const queries = useQueryClient();
  const [story, setStory] = useState(() => emptyStory(count));
  useEffect(() => {
    const stop = new AbortController();
    const gathered = { ...emptyStory(count), lines: [] as StoryLine[], deliveries: [] as Delivery[] };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      timer = undefined;
      const { tasks, lines, deliveries } = gathered;
      setStory({ ...gathered, tasks: copyOf(tasks), lines: [...lines], deliveries: [...deliveries] });
      for (const key of ["job", "receipt", "results"]) void queries.invalidateQueries({ queryKey: [key, job] });
    };
    const showSoon = () => (timer ??= setTimeout(show, GATHER_MS));
    const onEvent = (event: LiveEvent) => {
      fold(gathered.tasks, event);
      gathered.lines.push(lineOf(event, count));
      if (gathered.lines.length > LINES_MAX) gathered.lines.shift();
      const delivery = deliveryOf(event, count);
      if (delivery) gathered.deliveries.push(delivery);
      showSoon();
    };
    const onState = (isLive: boolean) => {
      gathered.isLive = isLive;
      showSoon();
    };
    const follow = async () => {
      try {
        await followJob(job, 0, onEvent, stop.signal, onState);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        gathered.isGone = true;
        await readStates(job, gathered.tasks, stop.signal);
      }
      if (!stop.signal.aborted) onState(false);
    };
    void follow();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [job, count, queries]);
  return story;
}

const emptyStory = (count: number): Story => ({
  tasks: newTasks(count),
  lines: [],
  deliveries: [],
  isLive: false,
  isGone: false,
});

/** The states of all tasks from the results, where there are no events any more. */
async function readStates(job: string, tasks: Tasks, signal: AbortSignal): Promise<void> {
  let cursor: number | null = 0;
  while (cursor !== null) {
    const query: { cursor: number; limit: number } = { cursor, limit: PAGE };
    const page: { results: Parameters<typeof putResult>[1][]; next: number | null } = await ok(
      api.GET("/v1/jobs/{job}/results", { params: { path: { job }, query }, signal }),
    );
    for (const result of page.results) putResult(tasks, result);
    cursor = page.next;
  }
}
