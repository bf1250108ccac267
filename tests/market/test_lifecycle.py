"""From a signed bid to paid results, on the fake chain."""

from protocol.encoding import to_hex
from protocol.epoch_data import EpochData
from protocol.verdicts import Verdict, Verdicts
from tests.market.world import PRICE, World


def reveal_all(world: World, epoch_id: int, wrong: frozenset[int] = frozenset()) -> None:
    """Every drawn seat reveals "right" for its leaves, "wrong" for some."""
    leaves = world.http.get(f"/v1/epochs/{epoch_id}").json()["leaves"]
    from sqlalchemy import select

    from market.settlement.models import EpochLeaf

    with world.context.sessions() as session:
        seats = {leaf.leaf_number: leaf.seats for leaf in session.scalars(select(EpochLeaf))}
    mine: dict[str, dict[int, tuple[Verdict, bytes]]] = {}
    for leaf in leaves:
        number = leaf["leaf"]
        said = (Verdict.WRONG, bytes(32)) if number in wrong else (Verdict.RIGHT, b"\1" * 32)
        for seat in seats[number] or ():
            mine.setdefault(seat, {})[number] = said
    for seat, verdicts in mine.items():
        packed = Verdicts.of(verdicts)
        world.chain.emit(
            "Attestations",
            "Revealed",
            epochId=epoch_id,
            verifier=seat,
            verdicts=packed.packed,
            digests=list(packed.digests),
        )


def test_job_without_devices_stays_open(world: World) -> None:
    job = world.open_job()
    assert world.job(job)["state"] == "open"
    assert world.job(job)["tasks"]["open"] == 10


def test_job_worked_by_two_devices_ends_paid_and_closed(world: World) -> None:
    one, two = world.device("one"), world.device("two")
    job = world.open_job()
    one.do_all()
    two.do_all()
    assert world.job(job)["tasks"]["accepted"] == 10
    world.tick()  # nothing is open or leased: the epoch closes at once
    epoch = world.http.get("/v1/epochs/1").json()
    assert [entry["count"] for entry in epoch["entries"]] == [2]
    blob = world.http.get(f"/v1/blobs/{epoch['dataId']}").content
    EpochData.parse(blob).check(world.context.domain)
    world.tick()
    assert world.http.get("/v1/epochs/1").json()["seed"]
    world.tick()
    reveal_all(world, 1)
    world.chain.phases[1] = "final"
    world.tick()
    world.tick()
    assert world.job(job)["tasks"]["final"] == 10
    world.tick()
    assert world.job(job)["state"] == "closed"
    bill = world.http.get(f"/v1/jobs/{job}/receipt").json()
    assert sum(int(item["amount"]) for item in bill["items"]) == 10 * PRICE
    results = world.http.get(f"/v1/jobs/{job}/results?limit=7").json()
    assert results["next"] == 7
    assert results["results"][3]["output"] == to_hex(b"out 3")
    assert {row["epoch"] for row in results["results"]} == {1}


def test_posting_failed_receipts_are_posted_again(world: World) -> None:
    device = world.device("one")
    job = world.open_job(world.bid(tasks=2))
    device.do_next()
    from market.settlement import build, settle

    build.tick(world.context)
    world.chain.fail("post_epoch", "JobEscrow_MayNotPost()")
    settle.tick(world.context)
    assert world.job(job)["tasks"]["accepted"] == 2
    assert world.http.get("/v1/epochs").json()["epochs"][0]["state"] == "failed"
    world.tick()
    assert world.job(job)["tasks"]["committed"] == 2
    assert world.job(job)["period"] == 1


def test_posting_lost_in_a_reorg_and_mined_again_ends_committed(world: World) -> None:
    device = world.device("one")
    job = world.open_job(world.bid(tasks=2))
    device.do_next()
    world.tick()
    from market.ticks import chain_tick

    posted = next(call for call in world.chain.calls.values() if call.purpose == "post_epoch")
    world.chain.reorg(*world_events(world))
    chain_tick(world.context)
    assert world.http.get("/v1/epochs/1").status_code == 404
    assert world.job(job)["tasks"]["accepted"] == 2
    world.chain.heads.clear()
    world.chain._postEpoch(*posted.args)
    chain_tick(world.context)
    assert world.job(job)["tasks"]["committed"] == 2
    assert world.http.get("/v1/epochs/1").json()["state"] == "posted"


def world_events(world: World) -> list:  # type: ignore[type-arg]
    """The Posted and JobDebited events of the first epoch, as they were emitted."""
    from chain.codec import Event

    head = world.chain.heads[1]
    value = {
        "settler": head.settler, "dataId": head.data_id, "snapshot": 0, "postedAt": head.posted_at,
        "postBlock": head.post_block, "entries": [], "periods": [],
    }  # fmt: skip
    return [
        Event("JobDebited", "JobEscrow", {"jobId": head.entries[0].job_id, "period": 0}, 90, bytes(32), bytes(32), 0),
        Event(
            "Posted", "EpochLedger", {"epochId": 1, "settler": head.settler, "head": value}, 91, bytes(32), bytes(32), 0
        ),
    ]
