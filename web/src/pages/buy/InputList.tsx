import { useMemo } from "react";
import { Button } from "../../ui/Button";
import { type Column, DataTable } from "../../ui/DataTable";
import { Hash } from "../../ui/Hash";
import { bytes } from "../../ui/numbers";
import { shownName, type TaskInput } from "./inputs";

const COLUMNS: Column<TaskInput>[] = [
  { id: "name", header: "Name", accessorFn: (input) => input.name, cell: ({ row }) => shownName(row.original.name) },
  { id: "size", header: "Size", accessorFn: (input) => input.length, cell: ({ row }) => bytes(row.original.length) },
  {
    id: "hash",
    header: "Content id (Keccak-256)",
    enableSorting: false,
    cell: ({ row }) => <Hash value={row.original.hash} name="content id" />,
  },
];

/** The inputs in task order; sorting only changes what is seen. */
export function InputList({ inputs, onRemove }: { inputs: TaskInput[]; onRemove: (key: number) => void }) {
  const columns = useMemo(() => [...COLUMNS, removeColumn(onRemove)], [onRemove]);
  return (
    <DataTable caption="Inputs" rows={inputs} columns={columns} rowId={(input) => String(input.key)} pageSize={10} />
  );
}

const removeColumn = (onRemove: (key: number) => void): Column<TaskInput> => ({
  id: "remove",
  header: () => <span className="visually-hidden">Remove</span>,
  enableSorting: false,
  cell: ({ row: { original } }) => (
    <Button kind="quiet" aria-label={`Remove ${shownName(original.name)}`} onPress={() => onRemove(original.key)}>
      ✕
    </Button>
  ),
});
