import { useQuery } from "@tanstack/react-query";
import { api, ok, type Schema } from "../../api/client";
import { Bid, type Hex, jobIdOf } from "../../protocol";

/** A job as the market tells it, with its bid read and found to be this job's. */
export type Job = Omit<Schema<"JobBody">, "bid"> & { bid: Bid; jobId: Hex };

/** States in which nothing more comes. */
export const isOver = (job: Job): boolean => job.state === "closed" || job.state === "refused";

/** True when every task is final. */
export const isFinished = (job: Job): boolean => job.tasks.final === job.bid.taskCount;

const POLL_MS = 5_000;

/** @throws Error where the bid that is shown belongs to another job. */
export function jobOf(body: Schema<"JobBody">, id: string): Job {
  const bid = Bid.fromJson(body.bid);
  const jobId = jobIdOf(bid);
  if (jobId !== id) throw new Error("The market shows another job's bid under this id.");
  return { ...body, bid, jobId };
}

/** A job and how far it is: asked again now and then, and whenever its story goes on. */
export const useJob = (id: string) =>
  useQuery({
    queryKey: ["job", id],
    queryFn: async () => jobOf(await ok(api.GET("/v1/jobs/{job}", { params: { path: { job: id } } })), id),
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : POLL_MS),
  });

/** The job's itemised receipt. */
export const useReceipt = (id: string) =>
  useQuery({
    queryKey: ["receipt", id],
    queryFn: async () => {
      const bill = await ok(api.GET("/v1/jobs/{job}/receipt", { params: { path: { job: id } } }));
      return bill as Schema<"Bill">;
    },
  });
