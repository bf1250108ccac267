import { useState, useSyncExternalStore } from "react";
import type { Address } from "viem";
import { Amount, Work } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";
import { percent } from "../../ui/numbers";
import { DeviceCards } from "./DeviceCards";
import { DeviceName, HealthBadge, StakeNote } from "./deviceParts";
import { type DeviceView, failuresOf } from "./devices";
import { effectOf } from "./stake";
import { StakeDialog } from "./StakeDialog";
import type { OwnerView } from "./useOwner";

const WIDE = "(min-width: 60rem)";

/** Every device of the owner with its health and its stake: a table, on narrow screens cards. */
export function AllDevices({ view }: { view: OwnerView }) {
  const [chosen, setChosen] = useState<Address | null>(null);
  const wide = useMedia(WIDE);
  const device = view.devices.find((one) => one.address === chosen);
  return (
    <div className="stack">
      <h2>Your devices</h2>
      {view.devices.length === 0 ? (
        <Empty title="No device is yours yet">
          <p>Authorise this tab above, or bind a desktop&apos;s device with the commands below.</p>
        </Empty>
      ) : wide ? (
        <div className="earn-devices">
          <DataTable
            caption="Your devices"
            rows={view.devices}
            columns={columnsOf(view, setChosen)}
            rowId={(row) => row.address}
          />
        </div>
      ) : (
        <DeviceCards view={view} onStake={setChosen} />
      )}
      {device ? <StakeDialog view={view} device={device} onClose={() => setChosen(null)} /> : null}
    </div>
  );
}

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const found = matchMedia(query);
      found.addEventListener("change", changed);
      return () => found.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
  );
}

const columnsOf = (view: OwnerView, onStake: (device: Address) => void): Column<DeviceView>[] => [
  {
    id: "device",
    header: "Device",
    accessorFn: (row) => row.address,
    cell: ({ row }) => <DeviceName device={row.original} />,
  },
  {
    id: "health",
    header: "Health",
    accessorFn: (row) => row.market?.health ?? "",
    cell: ({ row }) => <HealthBadge device={row.original} now={view.now} />,
  },
  {
    id: "stake",
    header: "Stake",
    accessorFn: (row) => row.stake,
    sortFn: "basic",
    cell: ({ row }) => <StakeCell view={view} device={row.original} />,
  },
  {
    id: "unfinal",
    header: "Not final",
    accessorFn: (row) => BigInt(row.market?.unfinalWei ?? 0),
    sortFn: "basic",
    cell: ({ row }) => <Amount wei={BigInt(row.original.market?.unfinalWei ?? 0)} />,
  },
  {
    id: "done",
    header: "Done",
    accessorFn: (row) => row.market?.tasksDone ?? 0,
    sortFn: "basic",
    cell: ({ row }) => <DoneCell device={row.original} />,
  },
  {
    id: "failures",
    header: "Failures",
    accessorFn: (row) => (row.market?.leasesExpired ?? 0) + (row.market?.tasksLost ?? 0),
    sortFn: "basic",
    cell: ({ row }) => failuresOf(row.original.market),
  },
  {
    id: "asks",
    header: "Asks for 10⁹ WU",
    accessorFn: (row) => BigInt(row.market?.askedWeiPerGWU ?? -1),
    sortFn: "basic",
    cell: ({ row }) => <Asks device={row.original} />,
  },
  {
    id: "change",
    header: "Change",
    enableSorting: false,
    cell: ({ row }) => (
      <Button aria-label={`Stake of ${row.original.address}`} onPress={() => onStake(row.original.address)}>
        Stake…
      </Button>
    ),
  },
];

function StakeCell({ view, device }: { view: OwnerView; device: DeviceView }) {
  const price = BigInt(device.market?.averageTaskWei ?? 0);
  const { replayedPpm } = effectOf(device.stake, price, view.minimumStake);
  return (
    <div className="stack-tight">
      <Amount wei={device.stake} />
      {price > 0n ? <span className="soft">{percent(replayedPpm)} replayed</span> : null}
      <StakeNote device={device} now={view.now} />
    </div>
  );
}

const DoneCell = ({ device: { market } }: { device: DeviceView }) =>
  market ? (
    <>
      {market.tasksDone.toLocaleString("en-US")} tasks
      <br />
      <span className="soft">
        <Work wu={BigInt(market.wuDone)} />
      </span>
    </>
  ) : (
    "none here"
  );

const Asks = ({ device: { market } }: { device: DeviceView }) =>
  market?.askedWeiPerGWU ? <Amount wei={BigInt(market.askedWeiPerGWU)} /> : "nothing yet";
