import json

import pytest

from chain import abi, codec
from chain.client import ChainClient
from chain.deployment import VARIABLE, Deployment
from chain.errors import (
    AbiUnknown,
    ContractReverted,
    DeploymentInvalid,
    NonceTooLow,
    ReorgDuringRead,
    RpcFailed,
    WrongChain,
)
from tests.chain.proxy import Refuse

KEY = b"\1" * 32
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def test_deployment_missing_file_is_refused(tmp_path):
    with pytest.raises(DeploymentInvalid):
        Deployment.load(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["[]", "{}", "nonsense", '{"chain_id":1,"deploy_block":0,"contracts":{"A":"0x12"}}'])
def test_deployment_malformed_is_refused(tmp_path, text):
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DeploymentInvalid):
        Deployment.load(tmp_path / "d.json")


def test_deployment_environment_without_variable_is_refused():
    with pytest.raises(DeploymentInvalid, match=VARIABLE):
        Deployment.from_environment({})


def test_deployment_reads_what_it_wrote(tmp_path):
    made = Deployment(5, 7, {"JobEscrow": SENDER}, {"window": 10}, {"seat_stake": "12"})
    (tmp_path / "d.json").write_text(json.dumps(made.to_json()))
    read = Deployment.from_environment({VARIABLE: str(tmp_path / "d.json")})
    assert read == made
    assert read.domain.verifying_contract == SENDER
    with pytest.raises(DeploymentInvalid, match="Panel"):
        read.address("Panel")


def test_call_unreachable_node_raises_rpc_failed(chain):
    with pytest.raises(RpcFailed):
        ChainClient("http://127.0.0.1:1", chain.deployment).head()


def test_call_custom_error_is_decoded(chain, send):
    send("setOpen", False)
    with pytest.raises(ContractReverted) as caught:
        chain.call("Probe", "move", KEY, [])
    assert caught.value.name == "Probe_Closed"
    send("setOpen", True)
    send("move", KEY, [])
    with pytest.raises(ContractReverted) as caught:
        chain.estimate(SENDER, chain.deployment.address("Probe"), chain.encode("Probe", "move", (KEY, [])))
    assert (caught.value.name, caught.value.values) == ("Probe_Taken", (KEY, 1))


def test_call_panic_and_text_are_decoded(chain):
    with pytest.raises(ContractReverted) as caught:
        chain.call("Probe", "divide", 0)
    assert (caught.value.name, caught.value.values) == ("Panic", (0x12,))
    with pytest.raises(ContractReverted) as caught:
        chain.call("Probe", "plain")
    assert caught.value.values == ("as text",)


def test_encode_wrong_arguments_raises_abi_unknown(chain):
    for arguments in ((KEY,), (KEY + b"1", []), ("x", 5), (KEY, [("0x12", 1, [])])):
        with pytest.raises(AbiUnknown):
            chain.encode("Probe", "move", arguments)
    with pytest.raises(AbiUnknown):
        chain.encode("Probe", "nothing", ())
    with pytest.raises(AbiUnknown):
        chain.encode("Nobody", "move", ())


def test_call_struct_comes_back_by_name(chain):
    part = (OTHER, 2**127, (KEY, bytes(32)))
    assert chain.call("Probe", "echo", part, -5) == (
        {"who": OTHER, "amount": 2**127, "marks": [KEY, bytes(32)]},
        -5,
    )


def test_call_at_block_reads_the_past(chain, send):
    before = chain.head()
    send("move", KEY, [])
    assert chain.call("Probe", "count") == 1
    assert chain.call("Probe", "count", block=before.number) == 0
    assert chain.call("Probe", "count", block=before.hash) == 0


def test_logs_decode_structs_and_survive_json(chain, send):
    send("move", KEY, [(OTHER, 2**90, [KEY])])
    (event,) = chain.logs(chain.deployment.deploy_block, chain.head().number)
    assert (event.contract, event.name) == ("Probe", "Moved")
    assert event.args == {
        "key": KEY,
        "by": SENDER,
        "count": 1,
        "parts": [{"who": OTHER, "amount": 2**90, "marks": [KEY]}],
    }
    assert (
        codec.revive(abi.load("Probe").event("Moved"), json.loads(json.dumps(codec.jsonable(event.args)))) == event.args
    )
    assert event.block_hash == chain.block_hash(event.block_number)


def test_logs_past_the_head_raise_reorg(chain):
    with pytest.raises(ReorgDuringRead):
        chain.logs(0, chain.head().number + 5)


def test_logs_chain_changes_meanwhile_raise_reorg(chain, anvil, send, monkeypatch):
    send("move", KEY, [])
    anvil.mine(3)
    honest = chain._logs

    def interrupted(first, last):
        events = list(honest(first, last))
        anvil.reorganise(4)
        return iter(events)

    monkeypatch.setattr(chain, "_logs", interrupted)
    with pytest.raises(ReorgDuringRead):
        chain.logs(chain.deployment.deploy_block, chain.head().number)


# --- several nodes

NOWHERE = "http://127.0.0.1:1"


def test_nodes_all_away_raises_what_the_last_one_said(chain):
    with pytest.raises(RpcFailed):
        ChainClient([NOWHERE, NOWHERE], chain.deployment).head()


def test_nodes_first_away_the_next_answers_and_is_kept(chain, proxy):
    client = ChainClient(f"{NOWHERE}, {proxy.url}", chain.deployment)
    assert client.head() == chain.head()
    assert client._nodes._present == 1
    proxy.asked.clear()
    client.head()
    assert proxy.asked == ["eth_getBlockByNumber"], "the chain id is asked once"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_nodes_that_answer_by_an_http_error_are_passed_over(chain, anvil, proxy, status):
    proxy.status = status
    client = ChainClient([proxy.url, anvil.rpc_url], chain.deployment)
    assert client.head() == chain.head()
    with pytest.raises(RpcFailed, match=str(status)):
        ChainClient(proxy.url, chain.deployment).head()


def test_nodes_of_another_chain_are_never_asked(chain, anvil, proxy):
    proxy.bend("eth_chainId", lambda *_: "0x1")
    client = ChainClient([proxy.url, anvil.rpc_url], chain.deployment)
    assert client.head() == chain.head()
    assert set(proxy.asked) == {"eth_chainId"}
    with pytest.raises(WrongChain, match="chain 1, not 31337"):
        ChainClient(proxy.url, chain.deployment).head()
    assert ChainClient(proxy.url, chain.deployment).chain_id() == 1


def test_nodes_revert_and_refused_transaction_are_answers(chain, anvil, proxy, send):
    """They are not asked of another node: it would say the same, or worse, something else."""
    client = ChainClient([proxy.url, anvil.rpc_url], chain.deployment)
    send("setOpen", False)
    with pytest.raises(ContractReverted):
        client.call("Probe", "move", KEY, [])

    def low(*_):
        raise Refuse("nonce too low")

    proxy.bend("eth_sendRawTransaction", low)
    with pytest.raises(NonceTooLow):
        client.send_raw(b"\2")
    assert client._nodes._present == 0


def test_nodes_one_is_behind_logs_come_from_the_other(chain, anvil, proxy, send):
    behind = anvil.block_number
    send("move", KEY, [])
    client = ChainClient([proxy.url, anvil.rpc_url], chain.deployment)
    proxy.head = behind
    client._nodes._present = 1
    head = client.head().number
    client._nodes._present = 0
    proxy.bend("eth_getBlockByNumber", lambda _, forward: forward() if proxy.asked.count("eth_getLogs") < 1 else None)
    assert [event.name for event in client.logs(chain.deployment.deploy_block, head)] == ["Moved"]
    assert client._nodes._present == 1


def test_nodes_message_does_not_hold_the_url(chain):
    with pytest.raises(RpcFailed) as caught:
        ChainClient("http://127.0.0.1:1/v2/secret", chain.deployment).head()
    assert "secret" not in str(caught.value)
