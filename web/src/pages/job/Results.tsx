import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, ok, type Schema } from "../../api/client";
import { messageOf } from "../../api/problem";
import { Work } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";
import { Notice } from "../../ui/Notice";
import { Select } from "../../ui/Select";
import { Spinner } from "../../ui/Spinner";
import type { KnownProgram } from "../buy/catalogue";
import { save } from "./download";
import { fileNameOf, outputOf, type OutputForm, previewOf, STATUS_NAMES } from "./output";
import type { Job } from "./useJob";

type Result = Schema<"ResultBody">;

const PAGE = 25;
const FORMS = [
  { id: "auto", name: "as they look" },
  { id: "text", name: "as text" },
  { id: "hex", name: "as hex" },
  { id: "json", name: "as JSON" },
] as const;
const STATES = ["any", "open", "leased", "accepted", "committed", "undrawn", "drawn", "final", "voided"] as const;
type Wanted = (typeof STATES)[number];
const WANTED = STATES.map((id) => ({ id, name: id === "any" ? "all tasks" : `${id} tasks` }));

/** Results as they come, a page at a time, with the market's word on their state. */
export function Results({ job, known }: { job: Job; known: KnownProgram | null }) {
  const [form, setForm] = useState<OutputForm>("auto");
  const [wanted, setWanted] = useState<Wanted>("any");
  const [turned, setTurned] = useState<number[]>([]);
  const cursor = turned.at(-1) ?? 0;
  const page = useQuery({
    queryKey: ["results", job.jobId, wanted, cursor],
    queryFn: ({ signal }) => {
      const query = { cursor, limit: PAGE, ...(wanted === "any" ? {} : { state: wanted }) };
      return ok(api.GET("/v1/jobs/{job}/results", { params: { path: { job: job.jobId }, query }, signal }));
    },
    placeholderData: keepPreviousData,
  });
  const columns = useMemo(() => columnsOf(form, known), [form, known]);
  const next = page.data?.next ?? null;
  return (
    <section className="card stack" aria-labelledby="results">
      <h2 id="results">Results</h2>
      <div className="row">
        <Select
          label="Show"
          value={wanted}
          onChange={(state) => {
            setWanted(state);
            setTurned([]);
          }}
          options={WANTED}
        />
        <Select label="Outputs" value={form} onChange={setForm} options={FORMS} />
      </div>
      {page.error ? <Notice tone="bad">{messageOf(page.error)}</Notice> : null}
      {page.isPending ? <Spinner label="Loading the results" /> : null}
      {page.data?.results.length === 0 ? <Empty title="No task in this state here" /> : null}
      {page.data?.results.length ? (
        <DataTable caption="Results by task" rows={page.data.results} columns={columns} rowId={rowId} pageSize={PAGE} />
      ) : null}
      {turned.length > 0 || next !== null ? (
        <div className="row spread small">
          <Button kind="quiet" isDisabled={turned.length === 0} onPress={() => setTurned(turned.slice(0, -1))}>
            Earlier tasks
          </Button>
          <span className="soft">
            From task {cursor.toLocaleString("en-US")} of {job.bid.taskCount.toLocaleString("en-US")}
          </span>
          <Button kind="quiet" isDisabled={next === null} onPress={() => next !== null && setTurned([...turned, next])}>
            Later tasks
          </Button>
        </div>
      ) : null}
      <p className="small soft">
        A program here writes no log: what a task has to say is its output. Accepted and attested are the market's word;
        the download of final results is verified in this page.
      </p>
    </section>
  );
}

const rowId = (result: Result) => String(result.task);

function columnsOf(form: OutputForm, known: KnownProgram | null): Column<Result>[] {
  return [
    { id: "task", header: "Task", accessorFn: (result) => result.task, cell: ({ row }) => row.original.task },
    { id: "state", header: "State", enableSorting: false, cell: ({ row }) => <State result={row.original} /> },
    {
      id: "output",
      header: "Output",
      enableSorting: false,
      cell: ({ row }) => <Output result={row.original} form={form} known={known} />,
    },
    {
      id: "status",
      header: "Status",
      enableSorting: false,
      cell: ({ row: { original } }) =>
        original.status === null ? "–" : (STATUS_NAMES[original.status] ?? original.status),
    },
    {
      id: "wu",
      header: "Work",
      accessorFn: (result) => Number(result.wu ?? 0),
      cell: ({ row: { original } }) => (original.wu === null ? "–" : <Work wu={BigInt(original.wu)} />),
    },
    {
      id: "save",
      header: () => <span className="visually-hidden">Download</span>,
      enableSorting: false,
      cell: ({ row }) => <SaveOutput result={row.original} />,
    },
  ];
}

const TONES: Record<string, "plain" | "info" | "good" | "warn" | "bad"> = {
  final: "good",
  voided: "bad",
  open: "plain",
};

function State({ result }: { result: Result }) {
  return (
    <span className="row">
      <Badge tone={TONES[result.state] ?? "info"}>{result.state}</Badge>
      {result.attested && result.state !== "final" ? <Badge tone="good">attested</Badge> : null}
      {result.replayed ? <Badge tone="info">replayed</Badge> : null}
    </span>
  );
}

function Output({ result, form, known }: { result: Result; form: OutputForm; known: KnownProgram | null }) {
  const output = outputOf(result.output);
  if (!output) return <span className="soft">–</span>;
  const reading = result.status === 0 ? known?.read(output) : "";
  const preview = previewOf(output, form);
  return (
    <>
      {reading ? <strong>{reading}</strong> : null}
      <code className="output small">{preview.text || "empty"}</code>
    </>
  );
}

function SaveOutput({ result }: { result: Result }) {
  const output = outputOf(result.output);
  if (!output) return null;
  return (
    <Button
      kind="quiet"
      aria-label={`Download the output of task ${result.task}`}
      onPress={() => save(new Blob([new Uint8Array(output)]), fileNameOf(result.task))}
    >
      ↓
    </Button>
  );
}
