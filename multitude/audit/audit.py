"""One epoch, or one task of it, audited: read, compare, run, report."""

from collections.abc import Mapping

from multitude.audit.blobs import Blobs
from multitude.audit.errors import BlobMissing, EpochUnknown
from multitude.audit.evidence import Evidence, check_posting, check_seed, gather
from multitude.audit.facts import EpochFacts, EpochState
from multitude.audit.findings import Finding, Report, agrees, disagrees, unknown
from multitude.audit.judgement import Run, Runs, judgements, wanted_runs
from multitude.audit.money import check_money, check_state
from multitude.audit.reader import ChainReader
from multitude.audit.replay import Replayer
from protocol.verdicts import Verdict


def audit_epoch(reader: ChainReader, blobs: Blobs, epoch_id: int, *, run: bool, data: bytes | None = None) -> Report:
    """Everything of an epoch compared; with `run` its drawn tasks are run again; `data` instead of the posted blob.

    Raises EpochUnknown, ChainError.
    """
    facts = reader.epoch(epoch_id)
    raw = _data_of(facts, blobs, data)
    if isinstance(raw, Finding):
        return report_on(facts, Evidence({}, {}, (raw,)), None, reader.client.deployment.contracts)
    evidence = gather(facts, raw, reader.client.deployment.domain)
    facts = reader.complete(facts, evidence)
    runs = _run(facts, evidence, blobs) if run else None
    return report_on(facts, evidence, runs, reader.client.deployment.contracts)


def audit_task(reader: ChainReader, blobs: Blobs, epoch_id: int, task: int, data: bytes | None = None) -> Report:
    """One task of an epoch run again, drawn or not, by its index in its job (in each job that has it there).

    Raises EpochUnknown, ChainError.
    """
    facts = reader.epoch(epoch_id)
    report = Report(f"task {task} of epoch {epoch_id}", facts.state.name.lower(), list(check_posting(facts)))
    raw = _data_of(facts, blobs, data)
    if isinstance(raw, Finding):
        report.findings.append(raw)
        return report
    evidence = gather(facts, raw, reader.client.deployment.domain)
    report.findings += evidence.findings
    found = {
        n: leaf.tasks.index(task) for n, leaf in evidence.leaves.items() if not leaf.unbacked and task in leaf.tasks
    }
    if not found and not evidence.unseen:
        raise EpochUnknown(f"epoch {epoch_id} has no task {task}")
    with Replayer(blobs, facts.log.programs) as replayer:
        for number, position in found.items():
            leaf = evidence.leaves[number]
            done = replayer.run(leaf, [position])[number, position]
            report.findings.append(_task_finding(f"task {task} in leaf {number}", leaf.faults().get(position), done))
    return report


def report_on(facts: EpochFacts, evidence: Evidence, runs: Runs | None, addresses: Mapping[str, str]) -> Report:
    """Every comparison that the facts allow. Pure."""
    report = Report(f"epoch {facts.epoch_id}", facts.state.name.lower())
    report.findings += [*check_posting(facts), check_seed(facts), *evidence.findings]
    if facts.is_seeded:
        report.findings += judgements(facts, evidence, runs)
    report.findings += [check_state(facts), *check_money(facts, evidence, runs, addresses)]
    return report


def _data_of(facts: EpochFacts, blobs: Blobs, data: bytes | None) -> bytes | Finding:
    if data is not None:
        return data
    try:
        return blobs.get(facts.head.data_id)
    except BlobMissing as error:
        if facts.state == EpochState.VOID:
            return agrees("data", f"not needed, the epoch is void: {error}")
        return unknown("data", str(error))


def _run(facts: EpochFacts, evidence: Evidence, blobs: Blobs) -> Runs:
    runs: dict[tuple[int, int], Run] = {}
    with Replayer(blobs, facts.log.programs) as replayer:
        for number, positions in wanted_runs(facts, evidence).items():
            runs |= replayer.run(evidence.leaves[number], positions)
    return runs


def _task_finding(topic: str, fault: str | None, done: Run) -> Finding:
    if fault is not None:
        return disagrees(topic, f"signed with a result that no run gives: {fault}")
    if done.verdict == Verdict.RIGHT:
        return agrees(topic, "run again: output, WU and status are those signed")
    return unknown(topic, done.detail) if done.verdict is None else disagrees(topic, done.detail)
