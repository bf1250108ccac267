/** From an agent's view to what the page is shown of it. */
import { tasksOfGrant, type Grant } from "./grants.ts";
import type { View } from "./agent.ts";
import type { DeviceState, LeaseView } from "./snapshot.ts";

/** State, reason and lease of an agent at work. */
export function stateOf(view: View): { state: DeviceState; reason: string | null; lease: LeaseView | null } {
  const lease = view.grant && leaseOf(view.grant, view);
  if (view.isStopping) return { state: "finishing", reason: "Finishing the lease, then it stops.", lease };
  if (lease !== null) {
    const reason = view.rest === null ? null : `The lease in hand is finished first. ${view.rest}`;
    return { state: "working", reason, lease };
  }
  if (view.rest !== null) return { state: "paused", reason: view.rest, lease };
  return { state: view.hasSession ? "waiting" : "starting", reason: null, lease };
}

function leaseOf(grant: Grant, { phase, tasksDone }: View): LeaseView {
  const { jobId, leaseId, priceWeiPerGWU } = grant.lease;
  const tasks = tasksOfGrant(grant).length;
  return {
    jobId,
    leaseId: leaseId.toString(),
    tasks,
    tasksDone: phase === "submitting" ? tasks : tasksDone,
    priceWeiPerGWU,
  };
}
