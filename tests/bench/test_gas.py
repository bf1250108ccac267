"""Gas is what the chain's receipts say, of every transaction from openJob to the claim, and the epoch is settled."""

import json
from dataclasses import replace

import pytest

from chain.accounting import GasLine, conserved
from chain.errors import ContractReverted
from deploy.bench import epoch, gas
from deploy.bench.epoch import Case, play_epoch
from deploy.bench.gas import CALLDATA, OWN, GasFigure, intrinsic_gas, measure_case
from deploy.bench.ground import make_ground
from deploy.bench.report import write_figures
from protocol.verdicts import Verdict, Verdicts

SMALL = Case(tasks=37, devices=2, span_tasks=4)


@pytest.fixture(scope="module")
def ground(supervisor, tmp_path_factory):
    return make_ground(supervisor, tmp_path_factory.mktemp("bench"), SMALL.devices)


@pytest.fixture
def fresh(ground):
    with ground.undone():
        yield ground


def receipts_between(client, first, last):
    """Every receipt of these blocks, by the plainest calls there are."""
    for number in range(first, last + 1):
        for tx_hash in client.rpc("eth_getBlockByNumber", [hex(number), False])["transactions"]:
            yield client.rpc("eth_getTransactionReceipt", [tx_hash])


def test_intrinsic_gas_zero_bytes_cost_a_quarter():
    assert intrinsic_gas(b"") == 21_000
    assert intrinsic_gas(b"\0\0\x01") == 21_000 + 4 + 4 + 16


def test_spans_of_devices_cover_the_job_once():
    spans = [span for device in range(SMALL.devices) for span in SMALL.spans_of(device)]
    assert sorted(spans) == list(range(10))


def test_gas_figure_divides_all_steps_by_the_tasks():
    steps = {"EpochLedger.claim": GasLine(1, 700), "Attestations.commit": GasLine(3, 300)}
    figure = GasFigure(Case(10_000, 10, 50), steps, {"EpochLedger.claim": GasLine(1, 500)}, {})
    assert (figure.gas_per_task, figure.gas_per_task_again, figure.target) == (0.1, 0.05, 80)
    assert figure.to_json()["steps"]["Attestations.commit"] == {"calls": 3, "gas": 300}
    assert replace(figure, case=Case(11, 10, 1)).target is None


@pytest.mark.e2e
@pytest.mark.slow
def test_play_epoch_one_seat_says_wrong_is_not_claimable(fresh, monkeypatch):
    def wrong(posted, seed, seats, verifier):
        honest = real(posted, seed, seats, verifier)
        return Verdicts.of(dict.fromkeys(honest.by_leaf, (Verdict.WRONG, bytes(32))))

    real = epoch._verdicts
    monkeypatch.setattr(epoch, "_verdicts", wrong)
    with pytest.raises(ContractReverted, match="Attestations_LeafNotAttested"):
        play_epoch(fresh, SMALL)


@pytest.mark.e2e
@pytest.mark.slow
def test_play_epoch_settles_every_task_and_loses_no_wei(fresh):
    played = play_epoch(fresh, SMALL)
    client = fresh.client
    (opened,) = (
        e for e in client.logs(played.opened.block_number, played.opened.block_number) if e.name == "JobOpened"
    )
    job = client.call("JobEscrow", "jobOf", opened.args["jobId"])
    assert (job["spansUnpaid"], job["debited"]) == (0, 0)
    assert all(client.call("JobEscrow", "balanceOf", pair.owner.address) > 0 for pair in fresh.devices)
    assert conserved(client)


@pytest.mark.e2e
@pytest.mark.slow
def test_measured_gas_is_the_sum_of_all_receipts(fresh):
    played = play_epoch(fresh, SMALL)
    steps = gas._steps(fresh.client, played)
    receipts = list(receipts_between(fresh.client, played.opened.block_number, played.claimed.block_number))
    assert sum(line.gas for line in steps.values()) == sum(int(r["gasUsed"], 16) for r in receipts)
    assert sum(line.calls for line in steps.values()) == len(receipts) == 10
    assert all(int(receipt["status"], 16) == 1 for receipt in receipts)


@pytest.mark.e2e
@pytest.mark.slow
def test_measure_case_splits_the_claim_and_leaves_no_trace(ground):
    before = ground.client.head()
    figure = measure_case(ground, SMALL)
    assert ground.client.head() == before
    assert sum(figure.inside_claim.values()) == figure.steps["EpochLedger.claim"].gas
    assert {CALLDATA, OWN, "JobEscrow.settle", "Attestations.sharesOf"} <= figure.inside_claim.keys()
    assert min(figure.inside_claim.values()) > 0
    assert figure.gas_per_task_again < figure.gas_per_task
    assert figure.to_json()["claims"] == 1


@pytest.mark.e2e
@pytest.mark.slow
def test_written_figure_is_the_gas_used_by_every_transaction(ground, tmp_path):
    """The whole way from the chain's receipts to var/bench/gas.json."""
    path = write_figures(tmp_path, "gas", [measure_case(ground, SMALL)])
    (written,) = json.loads(path.read_text())
    with ground.undone():
        played = play_epoch(ground, SMALL)
        receipts = list(receipts_between(ground.client, played.opened.block_number, played.claimed.block_number))
    used = sum(int(receipt["gasUsed"], 16) for receipt in receipts)
    assert (written["tasks"], written["devices"]) == (SMALL.tasks, SMALL.devices)
    # The seed of another run is another: which seats see how many leaves moves some per cent.
    assert written["gas_per_task"] == pytest.approx(used / SMALL.tasks, rel=0.05)
    assert sum(step["gas"] for step in written["steps"].values()) == written["gas"]
    assert round(written["gas"] / SMALL.tasks, 2) == written["gas_per_task"]
