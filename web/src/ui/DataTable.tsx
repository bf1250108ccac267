import {
  type ColumnDef,
  createPaginatedRowModel,
  createSortedRowModel,
  rowPaginationFeature,
  rowSortingFeature,
  sortFn_basic,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { Button } from "./Button";
import "./Table.css";

const features = tableFeatures({
  rowSortingFeature,
  rowPaginationFeature,
  sortedRowModel: createSortedRowModel(),
  paginatedRowModel: createPaginatedRowModel(),
  sortFns: { basic: sortFn_basic },
});

/** A column: `accessorFn` gives what it sorts by, `cell` what it shows; `meta.end` puts numbers at the right. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the columns of one table differ in what they hold
export type Column<Row extends object> = ColumnDef<typeof features, Row, any>;

const ARROWS: Record<string, string> = { asc: " ▲", desc: " ▼" };

/** Rows in a table that sorts by its heads and turns pages; `caption` names it to a screen reader. */
export function DataTable<Row extends object>({
  caption,
  rows,
  columns,
  rowId,
  pageSize = 25,
}: {
  caption: string;
  rows: Row[];
  columns: Column<Row>[];
  rowId: (row: Row) => string;
  pageSize?: number;
}) {
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: rowId,
    autoResetPageIndex: false,
    initialState: { pagination: { pageIndex: 0, pageSize } },
  });
  const { pageIndex } = table.state.pagination;
  return (
    <div className="stack-tight">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region is reached by keyboard */}
      <div className="table-scroll" role="region" aria-label={caption} tabIndex={0}>
        <table className="table">
          <caption className="visually-hidden">{caption}</caption>
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id}>
                {group.headers.map((header) => (
                  <Head
                    key={header.id}
                    sorted={header.column.getCanSort() ? header.column.getIsSorted() || "none" : undefined}
                    onSort={header.column.getToggleSortingHandler()}
                  >
                    <table.FlexRender header={header} />
                  </Head>
                ))}
              </tr>
            ))}
          </thead>
          <tbody>
            {table.getRowModel().rows.map((row) => (
              <tr key={row.id}>
                {row.getAllCells().map((cell) => (
                  <td key={cell.id}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {table.getPageCount() > 1 ? (
        <div className="row spread small">
          <Button kind="quiet" isDisabled={!table.getCanPreviousPage()} onPress={() => table.previousPage()}>
            Previous
          </Button>
          <span className="soft">
            Page {pageIndex + 1} of {table.getPageCount()}
          </span>
          <Button kind="quiet" isDisabled={!table.getCanNextPage()} onPress={() => table.nextPage()}>
            Next
          </Button>
        </div>
      ) : null}
    </div>
  );
}

function Head({
  sorted,
  onSort,
  children,
}: {
  sorted: "asc" | "desc" | "none" | undefined;
  onSort: ((event: unknown) => void) | undefined;
  children: React.ReactNode;
}) {
  if (sorted === undefined) return <th scope="col">{children}</th>;
  const order = { asc: "ascending", desc: "descending", none: "none" } as const;
  return (
    <th scope="col" aria-sort={order[sorted]}>
      <button type="button" onClick={onSort}>
        {children}
        <span aria-hidden="true">{ARROWS[sorted] ?? ""}</span>
      </button>
    </th>
  );
}
