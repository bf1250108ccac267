import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "wouter";
import { api, ok } from "../../api/client";
import { messageOf, ProblemError } from "../../api/problem";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import { Notice } from "../../ui/Notice";
import { percent } from "../../ui/numbers";
import { Spinner } from "../../ui/Spinner";
import { knownProgram } from "../buy/catalogue";
import { nameOf } from "../buy/usePrograms";
import { Cancel } from "./Cancel";
import { Download } from "./Download";
import { Events } from "./Events";
import "./job.css";
import { TaskProgress, Throughput } from "./Progress";
import { ReceiptCard } from "./ReceiptCard";
import { Results } from "./Results";
import { SpendCard } from "./SpendCard";
import { isFinished, isOver, type Job, useJob } from "./useJob";
import { useStory } from "./useStory";

const JOB_ID = /^0x[0-9a-f]{64}$/;

/** One job, live, until its results are downloaded. */
export default function JobPage() {
  const id = (useParams().job ?? "").toLowerCase();
  return JOB_ID.test(id) ? <FoundJob key={id} id={id} /> : <NoJob />;
}

const NoJob = () => (
  <Empty title="There is no such job">
    <p>
      An id has 64 hex digits. <Link href="/jobs">All jobs</Link>
    </p>
  </Empty>
);

function FoundJob({ id }: { id: string }) {
  const job = useJob(id);
  if (job.data) return <LiveJob job={job.data} />;
  if (job.error instanceof ProblemError && job.error.status === 404) return <NoJob />;
  if (job.error) {
    return (
      <Notice tone="bad" title="The job did not come">
        <p>{messageOf(job.error)}</p>
        <Button onPress={() => void job.refetch()}>Try again</Button>
      </Notice>
    );
  }
  return <Spinner label="Loading the job" />;
}

function LiveJob({ job }: { job: Job }) {
  const story = useStory(job.jobId, job.bid.taskCount);
  const program = useQuery({
    queryKey: ["program", job.bid.programId],
    queryFn: () => ok(api.GET("/v1/programs/{program}", { params: { path: { program: job.bid.programId } } })),
    staleTime: Infinity,
  });
  const known = program.data ? knownProgram(program.data.originalHash) : null;
  return (
    <div className="stack">
      <header className="stack-tight">
        <div className="row">
          <h1>Job of {program.data ? nameOf(program.data) : "a program"}</h1>
          <JobState job={job} />
        </div>
        <p className="soft small">
          <Hash value={job.jobId} name="job id" /> {job.bid.taskCount.toLocaleString("en-US")} tasks, at least{" "}
          {percent(job.bid.rateFloorPpm)} replayed, deadline {new Date(job.bid.deadline * 1000).toLocaleString("en-GB")}
        </p>
      </header>
      <Situation job={job} />
      <Download job={job} tasks={story.tasks}>
        <Cancel job={job} />
      </Download>
      <TaskProgress story={story} />
      <div className="columns">
        <SpendCard job={job} />
        <Throughput story={story} />
      </div>
      <Results job={job} known={known} />
      <Events job={job} story={story} />
      <ReceiptCard job={job} />
    </div>
  );
}

const TONES: Record<string, "info" | "good" | "warn" | "bad"> = { open: "info", closing: "warn", refused: "bad" };

/** The state of a job as a badge. */
function JobState({ job }: { job: Job }) {
  if (isFinished(job)) return <Badge tone="good">all final</Badge>;
  return <Badge tone={TONES[job.state] ?? "info"}>{job.state}</Badge>;
}

/** What goes on, in a sentence; nothing turns once the job is over. */
function Situation({ job }: { job: Job }) {
  const { accepted, committed, leased, final } = job.tasks;
  if (job.state === "refused") {
    return (
      <Notice tone="bad" title="The chain did not open this job">
        <p>{job.error ?? "It gave no reason."} Nothing was locked.</p>
        <Link href="/buy">Make another bid</Link>
      </Notice>
    );
  }
  if (isFinished(job)) return <Notice tone="good">Every task is final: paid for, and past every challenge.</Notice>;
  if (isOver(job)) {
    return (
      <Notice tone="warn" title="The job is closed">
        <p>
          {final.toLocaleString("en-US")} of {job.bid.taskCount.toLocaleString("en-US")} tasks are final
          {committed > 0 ? `, and ${committed.toLocaleString("en-US")} that were posted may still become so` : ""}. What
          was not held for posted work is in the buyer's escrow balance.
        </p>
      </Notice>
    );
  }
  if (job.state === "opening") return <Spinner label="The chain is opening the job" />;
  if (accepted + committed + leased + final === 0) return <Spinner label="Waiting for devices" />;
  return null;
}
