"""The audit commands against the real contracts on anvil, fed by an RPC address and a folder of blobs alone."""

import http.server
import json
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from eth_account import Account
from typer.testing import CliRunner

from chain.calls import ClaimedLeaves, Entry, Head, SeatVerdict
from chain.sender import Sender
from multitude.audit.deployment import Code, check_code, compile_contracts, without_metadata
from multitude.audit.findings import Outcome
from multitude.cli import app
from multitude.network import CHECKOUT
from protocol.claims import packed_leaf
from protocol.epoch_data import EpochData
from protocol.merkle import ReceiptTree
from protocol.messages import Binding
from protocol.sampling import Seat, seats_of_leaf
from protocol.verdicts import Verdict, Verdicts, ballot_commitment, epoch_salt
from tests.market.test_onchain import VERIFIERS, Stage
from tests.verifier import epochs
from tests.verifier.epochs import DIGITS, address, key, real_epoch
from verifier.audit import DeviceFacts, conclude, duties_of_epoch, gather
from verifier.replay import Replayer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LIE = 30  # of bob, who has no stake
OWNER = {"ann": "owner of one", "bob": "owner of two"}


class Market:
    """Posts, attests and claims real epochs, honest or not."""

    def __init__(self, stage, folder):
        self.stage, self.client, self.folder = stage, stage.client, folder
        for name, owner in OWNER.items():
            binding = Binding(address(name), address(owner))
            signatures = (binding.sign(self.client.deployment.domain, key(who)) for who in (name, owner))
            stage.send(owner, "StakeVault", "bind", binding.device, binding.owner, *signatures)
        stage.send(OWNER["ann"], "StakeVault", "stake", address("ann"), 10**17)
        stage.send("settler", "ProgramRegistry", "register", DIGITS.facts)

    def post(self, lies=(), salt=b"\0"):
        """An epoch of a job of its own, posted; its blobs in the folder."""
        plain = epochs.bid_of
        changes = {"budget": 10**17, "salt": salt.rjust(32, b"\0")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(epochs, "bid_of", lambda manifest: replace(plain(manifest), **changes))
            epoch = real_epoch(lies)
        entry = epoch.data.entries[0]
        self.stage.send("settler", "JobEscrow", "openJob", entry.bid, entry.bid_signature)
        fee_ppm = self.client.call("JobEscrow", "jobOf", entry.bid.job_id)["feePpm"]
        posted = entry.posted(fee_ppm)
        data = EpochData(address("settler"), (entry,))
        for blob, content in {**epoch.blobs.held, data.data_id: data.blob}.items():
            (self.folder / f"0x{blob.hex()}").write_bytes(content)
        parts = (Entry(posted.job_id, posted.subroot, posted.count, posted.sum),)
        self.stage.send("settler", "EpochLedger", "postEpoch", parts, data.data_id)
        number = int(self.client.call("EpochLedger", "epochCount"))
        events = self.client.logs(self.client.deployment.deploy_block, self.client.head().number)
        head = next(Head.of(e.args["head"]) for e in events if e.name == "Posted" and e.args["epochId"] == number)
        epoch.blobs.put(data.blob)
        return SimpleNamespace(number=number, head=head, entry=entry, fee_ppm=fee_ppm, epoch=epoch, data=data)

    def attest(self, posting, change=None):
        """Seed, commit, reveal; `change(verdicts)` turns what the verifiers' own code found.

        Blocks are a second apart meanwhile, however long the replays take here.
        """
        anvil = self.stage.anvil
        anvil.rpc("anvil_setBlockTimestampInterval", 1)
        try:
            self._attest(posting, change)
        finally:
            anvil.rpc("anvil_removeBlockTimestampInterval")
            anvil.rpc("evm_setNextBlockTimestamp", self.client.head().timestamp + 1)  # the clock goes on from here
            anvil.mine(1)

    def _attest(self, posting, change):
        self.stage.anvil.mine(3)
        self.stage.send("settler", "Attestations", "drawSeed", posting.number)
        posting.seed = self.client.call("Attestations", "seedOf", posting.number)
        listed = self.client.call("Seats", "seatsIn", posting.head.snapshot)
        posting.seats = [Seat(seat["verifier"], seat["owner"]) for seat in listed]
        domain, job = self.client.deployment.domain, posting.entry.bid.job_id
        posting.evidence = gather(posting.epoch.blobs, posting.number, posting.head, {job: posting.fee_ppm}, domain)
        stakes = {address(n): self.stake(address(n), posting.head.post_block) for n in OWNER}
        posting.devices = {address(n): DeviceFacts(address(o), stakes[address(n)]) for n, o in OWNER.items()}
        posting.said = {name: self._judge(posting, name, change) for name in VERIFIERS}
        for name, verdicts in posting.said.items():
            salt = epoch_salt(key(name), posting.number)
            commitment = verdicts.commitment(salt, address(name), posting.number)
            self.stage.send(name, "Attestations", "commit", posting.number, commitment)
        for name, verdicts in posting.said.items():
            salt = epoch_salt(key(name), posting.number)
            said = (verdicts.packed, verdicts.digests)
            self.stage.send(name, "Attestations", "reveal", posting.number, salt, *said)

    def stake(self, device, block):
        return int(self.client.call("StakeVault", "stakeAt", device, block))

    def _judge(self, posting, name, change):
        duties = duties_of_epoch(posting.evidence, posting.seed, posting.seats, address(name), posting.devices)
        replayer = Replayer(posting.epoch.blobs, 60)
        try:
            played = [
                one
                for leaf, positions in duties.draws.items()
                for one in replayer.replay(posting.evidence.leaves[leaf], positions, posting.epoch.programs)
            ]
        finally:
            replayer.close()
        verdicts = conclude(duties, played).verdicts
        return change(verdicts) if change else verdicts

    def convict(self, posting, number, position):
        """The buyer accuses a task, the panel upholds it, the leaf is void."""
        leaf = posting.evidence.leaves[number]
        said = self._said(posting, [leaf])
        bond = self.client.call("Panel", "challengeBond")
        accused = (leaf.reference(), leaf.place.leaf.signature, position, said)
        Sender(self.client, Account.from_key(key("buyer"))).send("Panel", "open", *accused, value=bond)
        events = self.client.logs(posting.head.post_block, self.client.head().number)
        game = next(event.args["gameId"] for event in events if event.name == "ChallengeOpened")
        self.stage.anvil.mine(3)
        subject = self.client.call("Panel", "gameOf", game)["subject"]
        drawn = set(self.client.call("Panel", "panelSeats", game))
        jury = [name for name in VERIFIERS if address(name) in drawn]
        for name in jury:
            commitment = ballot_commitment(bytes(32), address(name), subject, Verdict.WRONG)
            self.stage.send(name, "Panel", "commitVote", game, commitment)
        for name in jury:
            self.stage.send(name, "Panel", "revealVote", game, bytes(32), int(Verdict.WRONG))
        self.stage.anvil.advance(20)
        self.stage.send("settler", "Panel", "resolve", game)
        self.stage.send("settler", "EpochLedger", "voidLeaf", leaf.reference())

    def claim(self, posting, *numbers):
        """Leaves claimed in one call after the window."""
        self.stage.anvil.advance(11)
        leaves = [posting.evidence.leaves[number] for number in numbers]
        place = (posting.number, posting.head, 0, posting.entry.bid)
        claims = _claimed_leaves(posting.evidence, leaves)
        self.stage.send("settler", "EpochLedger", "claim", *place, claims, self._said(posting, leaves))

    def _said(self, posting, leaves):
        """The verdicts of all that were drawn for these leaves."""
        drawn = set()
        for leaf in leaves:
            owner = posting.devices[leaf.device].owner
            drawn |= {
                posting.seats[i].verifier for i in seats_of_leaf(posting.seed, leaf.leaf_hash, posting.seats, owner)
            }
        said = {address(name): verdicts for name, verdicts in posting.said.items()}
        return [SeatVerdict(v, said[v].packed, said[v].digests) for v in sorted(drawn)]


def _claimed_leaves(evidence, leaves):
    tree = ReceiptTree([(leaf.place.leaf.receipt, leaf.reference().debit) for leaf in evidence.leaves.values()])
    packed = {}
    for leaf in leaves:
        index, data = leaf.place.leaf_index, leaf.place.leaf
        packed[index] = packed_leaf(index, data.receipt, data.spans, data.signature)
    return ClaimedLeaves.of(tree, packed)


@pytest.fixture(scope="module")
def market(supervisor, tmp_path_factory):
    """A deployment on a chain of its own number, whose messages the fixtures of tests.verifier sign."""
    from deploy.local.anvil import start_anvil

    folder = tmp_path_factory.mktemp("audit")
    stage = Stage(start_anvil(supervisor, folder, name="anvil-audit"), folder)
    (folder / "blobs").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs, "DOMAIN", stage.client.deployment.domain)
        yield Market(stage, folder / "blobs")


@pytest.fixture(scope="module")
def store(market):
    """The folder of blobs over HTTP."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(market.folder), **kwargs)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def audit(market, store):
    """Runs `multitude audit`; the result."""

    def run(command, *args, blobs=store):
        deployment = market.folder.parent / "deployment.json"
        options = ["--rpc", market.stage.anvil.rpc_url, "--blobs", blobs, "--deployment", str(deployment)]
        return CliRunner().invoke(app, ["audit", command, *args, *options])

    return run


@pytest.fixture(scope="module")
def honest(market):
    """Epoch 1: honest, claimed."""
    posting = market.post()
    market.attest(posting)
    market.claim(posting, 0, 1)
    return posting


def right_of_everything(verdicts):
    return Verdicts.of(dict.fromkeys(verdicts.by_leaf, (Verdict.RIGHT, b"\x01" * 32)))


def test_replay_honest_epoch_agrees_and_alterations_do_not(market, audit, honest, tmp_path):
    number = str(honest.number)
    agreed = audit("replay", number)
    assert agreed.exit_code == 0, agreed.output
    assert "run again" in agreed.output
    assert "payment in block" in agreed.output
    leaf = honest.entry.leaves[0]
    forged = replace(leaf, receipt=replace(leaf.receipt, amount=leaf.receipt.amount + 1))
    entry = replace(honest.entry, leaves=(forged, *honest.entry.leaves[1:]))
    altered = tmp_path / "altered"
    altered.write_bytes(EpochData(address("settler"), (entry,)).blob)
    assert audit("replay", number, "--data", str(altered)).exit_code == 1
    whole = tmp_path / "whole"
    whole.write_bytes(honest.data.blob)
    assert audit("replay", number, "--data", str(whole)).exit_code == 0
    assert audit("replay", number, "--data", str(tmp_path / "nothing")).exit_code == 2


def test_replay_of_one_task_agrees_drawn_or_not(audit, honest):
    number = str(honest.number)
    assert audit("replay", number, "--task", "5").exit_code == 0
    assert audit("replay", number, "--task", "48").exit_code == 2


def test_epoch_without_running_anything_agrees(audit, honest):
    result = audit("epoch", str(honest.number), "--json")
    value = json.loads(result.stdout)
    assert (result.exit_code, value["outcome"], value["state"]) == (0, "agrees", "final")


def test_replay_without_blobs_or_chain_cannot_tell(audit, market, honest):
    assert audit("replay", str(honest.number), blobs="http://127.0.0.1:9").exit_code == 2
    assert audit("replay", "99").exit_code == 2
    nowhere = ["--rpc", "http://127.0.0.1:9", "--deployment", str(market.folder.parent / "deployment.json")]
    assert CliRunner().invoke(app, ["audit", "epochs", *nowhere]).exit_code == 2


def test_replay_lie_that_every_seat_attested_disagrees(market, audit, honest):
    posting = market.post(((LIE, epochs.lie_about(LIE)),), salt=b"lie")
    market.attest(posting, right_of_everything)
    market.claim(posting, 0, 1)
    result = audit("replay", str(posting.number))
    assert result.exit_code == 1
    assert "paid, though it is wrong" in result.output
    assert audit("epoch", str(posting.number)).exit_code == 0  # without running anything nobody can know
    assert audit("replay", str(posting.number), "--task", str(LIE)).exit_code == 1


def test_epochs_lists_every_epoch_with_its_state_and_a_void_one_agrees(market, audit, honest):
    posting = market.post(salt=b"void")
    waiting = audit("replay", str(posting.number))
    assert waiting.exit_code == 2, waiting.output
    market.stage.anvil.advance(100)
    assert audit("replay", str(posting.number), blobs="http://127.0.0.1:9").exit_code == 0
    market.stage.send("settler", "EpochLedger", "voidEpoch", posting.number, posting.head)
    result = audit("replay", str(posting.number))
    assert result.exit_code == 0, result.output
    lines = json.loads(audit("epochs", "--json").stdout)
    assert [line["epoch"] for line in lines] == list(range(1, posting.number + 1))
    assert (lines[0]["state"], lines[-1]["state"]) == ("final", "void")
    assert audit("status").exit_code == 0


def test_replay_liar_that_a_panel_convicted_agrees(market, audit, honest):
    posting = market.post(((5, epochs.lie_about(5)),), salt=b"convicted")
    market.attest(posting)
    market.convict(posting, 0, 5)
    market.claim(posting, 1)
    result = audit("replay", str(posting.number))
    assert result.exit_code == 0, result.output
    assert "agrees     challenge of task 5 of leaf 0: upheld" in result.output
    assert "agrees     void of leaf 0" in result.output
    assert audit("replay", str(posting.number), "--task", "5").exit_code == 1


def test_verify_deployment_other_addresses_disagree(market, audit, tmp_path):
    value = json.loads((market.folder.parent / "deployment.json").read_text())
    value["contracts"]["Panel"], value["contracts"]["Seats"] = value["contracts"]["Seats"], value["contracts"]["Panel"]
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(value))
    options = ["--rpc", market.stage.anvil.rpc_url, "--deployment", str(path), "--sources", str(tmp_path)]
    result = CliRunner().invoke(app, ["audit", "verify-deployment", *options])
    assert result.exit_code == 1
    assert "disagrees  wiring of EpochLedger" in result.output
    right = audit("verify-deployment", "--sources", str(tmp_path))
    assert right.exit_code == 2
    assert "unknown    code" in right.output
    assert "disagrees" not in right.output


def test_code_rebuilt_from_the_sources_is_the_deployed_one_but_for_immutables(market):
    names = ("BlockBeacon", "Faucet")
    built = compile_contracts(CHECKOUT, names)
    for name in names:
        location = market.client.deployment.address(name)
        deployed = bytes.fromhex(market.client.rpc("eth_getCode", [location, "latest"])[2:])
        assert built[name].immutables
        assert check_code(name, deployed, built[name]).outcome == Outcome.AGREES
        assert deployed != built[name].code
        touched = bytes([deployed[0] ^ 1]) + deployed[1:]
        assert check_code(name, touched, built[name]).outcome == Outcome.DISAGREES
        bare = Code(built[name].code, ())
        assert check_code(name, deployed, bare).outcome == Outcome.DISAGREES
        assert len(without_metadata(deployed)) < len(deployed)
