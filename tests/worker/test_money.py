"""The money commands against the real contracts: posted, attested, claimed, staked and slashed on anvil."""

import http.server
import json
import threading

import pytest
from typer.testing import CliRunner

from chain.accounting import TOKEN, conserved
from protocol.signing import address_of
from tests.market.test_onchain import Stage
from tests.market.world import key_of
from tests.multitude.test_audit_chain import LIE, Market
from tests.verifier import epochs
from tests.verifier.epochs import address, key
from worker import agreed, doctor
from worker.cli import app
from worker.exits import Exit
from worker.purse import Purse, claim_if_due
from worker.settings import Settings, load_settings

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OWNERS = {"ann": "owner of one", "bob": "owner of two"}


class Store(http.server.ThreadingHTTPServer):
    """Blobs, and what a market says of devices."""

    def __init__(self, folder):
        store, self.unfinal = self, {}

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, directory=str(folder), **kwargs)

            def do_GET(self):
                device = self.path.rpartition("/")[2]
                if not self.path.startswith("/v1/devices/"):
                    super().do_GET()
                    return
                body = json.dumps({"unfinal_wei": str(store.unfinal.get(device, 0))}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Contributor:
    """A device's state folder with its owner's key, and the commands on it."""

    def __init__(self, market, store, folder, name):
        self.market, self.name = market, name
        self.owner = address_of(key_of(OWNERS[name]))
        keys = {"device": key(name), "owner": key_of(OWNERS[name])}
        for what, secret in keys.items():
            (folder / f"{what}.key").touch(0o600)
            (folder / f"{what}.key").write_text(secret.hex())
        self.settings = Settings(
            (store.url,), folder / "device.key", folder, 1, rpc_url=market.stage.anvil.rpc_url, owner=self.owner,
            owner_key_file=folder / "owner.key",
        )  # fmt: skip
        self.settings.write()
        agreed.keep(folder, agreed.Agreed(market.client.deployment, address("settler"), store.url))

    def run(self, *arguments, status=Exit.OK):
        command, *rest = arguments
        done = CliRunner().invoke(app, [command, "--state-dir", str(self.settings.state_dir), *rest])
        assert done.exit_code == status, done.output
        return done

    def json(self, *arguments, status=Exit.OK):
        command, *rest = arguments
        return json.loads(self.run(command, "--json", *rest, status=status).stdout)

    def earnings(self):
        found = self.json("earnings")
        assert found["adds_up"], found
        return found

    @property
    def tokens(self):
        return int(self.market.client.call(TOKEN, "balanceOf", self.owner))


@pytest.fixture(scope="module")
def market(supervisor, tmp_path_factory):
    from deploy.local.anvil import start_anvil

    folder = tmp_path_factory.mktemp("money")
    stage = Stage(start_anvil(supervisor, folder, name="anvil-money"), folder)
    stage.anvil.advance(30)  # the verifiers' seats count from the next period on
    (folder / "blobs").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs, "DOMAIN", stage.client.deployment.domain)
        yield Market(stage, folder / "blobs")


@pytest.fixture(scope="module")
def store(market):
    served = Store(market.folder)
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def ground(market):
    """Whatever a test does on the chain is undone."""
    snapshot = market.stage.anvil.rpc("evm_snapshot")
    yield market
    market.stage.anvil.rpc("evm_revert", snapshot)


@pytest.fixture
def ann(ground, store, tmp_path):
    """Has a stake of 10^17 wei."""
    return Contributor(ground, store, tmp_path, "ann")


@pytest.fixture
def bob(ground, store, tmp_path_factory):
    """Has none: pay is bonded."""
    return Contributor(ground, store, tmp_path_factory.mktemp("bob"), "bob")


def amount_of(posting, name):
    return next(one.receipt.amount for one in posting.entry.leaves if one.receipt.device == address(name))


# --- what cannot be done


def test_money_without_a_chain_or_another_chain_says_so(ann, tmp_path):
    assert "ChainUnusable" in ann.run("earnings", "--rpc", "", status=Exit.FAILED).output
    assert "RpcFailed" in ann.run("earnings", "--rpc", "http://127.0.0.1:9", status=Exit.FAILED).output
    path = tmp_path / agreed.FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "chain_id": 1}))
    assert "is chain" in ann.run("stake", "1", "--yes", status=Exit.FAILED).output


@pytest.mark.parametrize("amount", ["-1", "0", "1.2.3", "1e3", "0.0000000000000000001", "9" * 40, "x", "1.5wei"])
def test_stake_of_no_amount_is_refused(ann, amount):
    assert "MoneyRefused" in ann.run("stake", "--yes", "--", amount, status=Exit.FAILED).output


def test_stake_above_what_the_owner_has_is_refused(ann):
    before = ann.tokens
    assert "holds" in ann.run("stake", f"{before + 1}wei", "--yes", status=Exit.FAILED).output
    assert ann.tokens == before


def test_stake_without_a_yes_does_nothing(ann):
    before = ann.tokens
    done = CliRunner().invoke(app, ["stake", "1", "--state-dir", str(ann.settings.state_dir)], input="n\n")
    assert (done.exit_code, ann.tokens) == (Exit.DECLINED, before)
    ann.run("stake", "1", status=Exit.DECLINED)
    assert ann.tokens == before


def test_claim_and_stake_without_the_owners_key_say_so(ann, ground):
    posting = ground.post(salt=b"\1")
    ground.attest(posting)
    ground.stage.anvil.advance(11)
    settings = Settings(**{**vars(ann.settings), "owner_key_file": None, "auto_claim_wei": 1})
    settings.write()
    before = ann.tokens
    ann.run("claim", "--yes", status=Exit.KEY_ELSEWHERE)
    ann.run("stake", "1", "--yes", status=Exit.KEY_ELSEWHERE)
    assert "not on this machine" in claim_if_due(load_settings(ann.settings.state_dir, {}))
    assert ann.tokens == before


def test_unstake_more_than_there_is_is_refused(ann):
    assert "of stake" in ann.run("unstake", "2", "--yes", status=Exit.FAILED).output


def test_data_that_is_withheld_is_told_and_hides_nothing_else(ann, ground):
    first, second = ground.post(salt=b"\2"), ground.post(salt=b"\3")
    missing = ground.folder / f"0x{second.data.data_id.hex()}"
    kept = missing.read_bytes()
    try:
        missing.write_bytes(kept[:-1])
        found = ann.earnings()
    finally:
        missing.write_bytes(kept)
    assert found["totals"]["pending_wei"] == str(amount_of(first, "ann"))
    assert [note.split(":")[0] for note in found["notes"]] == [f"epoch {second.number} cannot be read"]


# --- earned


def test_receipt_goes_from_accepted_to_withdrawn_and_every_wei_is_accounted_for(ann, ground, store):
    store.unfinal[address("ann")] = 7
    assert ann.earnings()["devices"][0]["accepted_wei"] == "7"
    posting = ground.post(salt=b"\4")
    amount = amount_of(posting, "ann")
    store.unfinal[address("ann")] = amount + 5
    posted = ann.earnings()
    assert (posted["devices"][0]["posted_wei"], posted["devices"][0]["accepted_wei"]) == (str(amount), "5")
    assert posted["totals"]["pending_wei"] == str(amount + 5)
    ground.attest(posting)
    assert ann.earnings()["totals"]["due_wei"] == "0"
    ground.stage.anvil.advance(11)
    due = ann.earnings()
    assert due["devices"][0]["due_wei"] == str(amount)
    before = ann.tokens
    done = ann.json("claim", "--yes")
    assert done["refused"] == []
    assert done["done"][0]["wei"] == str(amount)
    after = ann.earnings()["totals"]
    assert ann.tokens - before == int(after["paid_wei"]) == int(after["withdrawn_wei"]) > 0
    assert int(after["earned_wei"]) == amount
    assert after["due_wei"] == after["claimable_wei"] == "0"
    assert int(due["totals"]["claimable_wei"]) == int(after["withdrawn_wei"])
    assert ann.json("claim", "--yes") == {"done": [], "refused": []}
    assert conserved(ground.client)
    store.unfinal.clear()


def test_claims_pushed_by_another_are_credited_or_sent_and_claim_leaves_nothing_behind(ann, bob, ground):
    posting = ground.post(salt=b"\5")
    ground.attest(posting)
    before = ann.tokens
    ground.claim(posting, 0, 1)
    found = ann.earnings()
    assert int(found["totals"]["earned_wei"]) == amount_of(posting, "ann")
    assert int(found["totals"]["withdrawn_wei"]) == ann.tokens - before
    paid = [item for item in found["items"] if item["kind"] == "paid"]
    assert [item["wei"] for item in paid] == [found["totals"]["paid_wei"]]
    assert ground.client.receipt(bytes.fromhex(paid[0]["tx"][2:])).ok
    ann.run("claim", "--yes")
    assert ann.tokens - before == int(found["totals"]["paid_wei"])
    unpaid = bob.earnings()["totals"]
    assert (unpaid["paid_wei"], unpaid["bonded_wei"]) == ("0", unpaid["stake_wei"])
    assert int(unpaid["bonded_wei"]) + int(unpaid["deducted_wei"]) == amount_of(posting, "bob")


def test_owner_who_buys_too_keeps_its_deposit(ann, ground):
    ground.stage.send(OWNERS["ann"], "JobEscrow", "deposit", 123)
    posting = ground.post(salt=b"\6")
    ground.attest(posting)
    ground.claim(posting, 0)
    ann.run("claim", "--yes")
    assert ann.earnings()["totals"]["credited_wei"] in ("0", "123")
    assert ground.client.call("JobEscrow", "balanceOf", ann.owner) == 123


def test_automatic_claim_waits_for_its_threshold(ann, ground):
    posting = ground.post(salt=b"\7")
    ground.attest(posting)
    ground.stage.anvil.advance(11)
    due = Purse(ann.settings).earnings().claimable
    before = ann.tokens
    assert claim_if_due(Settings(**{**vars(ann.settings), "auto_claim_wei": due + 1})) is None
    assert ann.tokens == before
    assert "claimed" in claim_if_due(Settings(**{**vars(ann.settings), "auto_claim_wei": due}))
    assert ann.tokens == before + due


def test_lie_is_slashed_and_is_not_to_be_claimed(bob, ann, ground):
    ground.stage.send(OWNERS["bob"], "StakeVault", "stake", address("bob"), 10**17)
    honest = epochs.honest_results()[LIE]
    posting = ground.post(lies=((LIE, lie_of(honest)),), salt=b"\x08")
    ground.attest(posting, lambda verdicts: verdicts)
    ground.convict(posting, 1, LIE - len(epochs.honest_results()) // 2)
    found = bob.earnings()
    assert found["totals"]["slashed_wei"] == str(10**17)
    assert found["devices"][0]["convicted"]
    assert {item["kind"] for item in found["items"]} == {"staked", "slashed", "voided"}
    assert "convicted" in bob.run("stake", "1", "--yes", status=Exit.FAILED).output
    assert ann.earnings()["totals"]["slashed_wei"] == "0"


def lie_of(result):
    from protocol.merkle import TaskResult

    return TaskResult.of_output(result.task_index, b"\7" * 5, result.wu, result.status)


def test_claim_that_another_was_quicker_with_is_told_and_the_rest_is_taken_out(ann, ground, monkeypatch):
    posting = ground.post(salt=b"\x09")
    ground.attest(posting)
    ground.stage.anvil.advance(11)
    purse, before = Purse(ann.settings), ann.tokens
    due = purse.earnings()
    passing = Purse._passing

    def overtaken(self, *arguments):
        found = passing(self, *arguments)
        ground.claim(posting, 0)
        return found

    monkeypatch.setattr(Purse, "_passing", overtaken)
    done = purse.claim(due)
    assert "LeafSettled" in done.refused[0]
    assert ann.tokens - before == due.claimable


def test_doctor_tells_binding_stake_and_conviction_from_the_chain(ann, bob, ground):
    def grades(who, **changes):
        settings = Settings(**{**vars(who.settings), **changes})
        return {
            one.topic: one.grade.value for one in doctor._chain(settings, lambda: float(ground.client.head().timestamp))
        }

    assert grades(ann) == dict.fromkeys(("clock", "contracts", "conviction", "binding", "stake"), "ok")
    assert grades(bob)["stake"] == "warn"
    assert grades(ann, owner=bob.owner)["binding"] == "fail"
    ann.settings.key_file.write_text((b"\x11" * 32).hex())
    assert grades(ann)["binding"] == "warn"


# --- stake


def test_stake_is_put_up_asked_back_and_taken_out(ann, ground):
    before = ann.tokens
    done = ann.run("stake", "0.25", "--yes")
    assert "task price" in done.output
    assert "at risk" in done.output
    assert before - ann.tokens == 25 * 10**16
    asked = ann.json("unstake", "0.35", "--yes")
    assert asked["seconds_left"] > 0
    waiting = ann.json("unstake")
    assert (waiting["unbonding_wei"], ann.tokens) == (str(35 * 10**16), before - 25 * 10**16)
    ground.stage.anvil.advance(waiting["seconds_left"] + 1)
    ann.run("unstake", status=Exit.DECLINED)
    ann.run("unstake", "--yes")
    assert ann.tokens == before + 10**17
    assert "to ask back" in ann.run("unstake", "--yes", status=Exit.FAILED).output
    kinds = [item["kind"] for item in ann.earnings()["items"]]
    assert kinds == ["staked", "staked", "unstaked"]
    assert conserved(ground.client)
