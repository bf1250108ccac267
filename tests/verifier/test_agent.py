"""The agent where parts around it are away for a while: it waits, reads again, and queues again."""

import threading
from types import SimpleNamespace

import pytest
from kombu.exceptions import OperationalError as BrokerAway
from sqlalchemy.exc import OperationalError

from chain.errors import RpcFailed
from verifier import agent as agent_module
from verifier.agent import Agent
from verifier.audit import Duties
from verifier.views import ChainView

SCOPE = b"s" * 32
KEY = b"\1" * 32


class Surroundings:
    """As much of a context as an agent on an empty chain needs; `troubles` are raised by its syncs, in order."""

    def __init__(self, troubles=()):
        clocks = {"confirmations": 1, "poll_s": 0.001, "replay_chunk": 2, "fee_ceiling_wei_per_gas": 10**9}
        self.settings = SimpleNamespace(address="0xme", key=KEY, **clocks)
        self.engine = self.client = None
        self.indexer = self
        self.troubles = list(troubles)
        self.views_read = 0

    def create_tables(self):
        pass

    def read_view(self):
        self.views_read += 1
        return ChainView()

    def seats_in(self, _snapshot):
        return []

    def sync(self):
        if self.troubles:
            raise self.troubles.pop(0)
        return SimpleNamespace(new=[], removed=[])


class Pump:
    """An outbox; the first pump ends the run."""

    def __init__(self, stop):
        self.pump = stop.set


def made(surroundings, dispatch=lambda *_: None):
    return Agent(surroundings, dispatch)


@pytest.mark.parametrize(
    ("trouble", "views_read"),
    [
        (OperationalError("select", {}, Exception("terminating connection")), 2),
        (RpcFailed("connection refused"), 1),
        (BrokerAway("connection refused"), 1),
    ],
)
def test_run_part_away_waits_and_after_the_database_reads_its_view_again(trouble, views_read):
    surroundings, stop = Surroundings([trouble]), threading.Event()
    agent = made(surroundings)
    agent._outbox = Pump(stop)
    agent.run(stop)
    assert not surroundings.troubles
    assert surroundings.views_read == views_read


def test_run_error_of_another_kind_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        made(Surroundings([ZeroDivisionError()])).run(threading.Event())


@pytest.fixture
def replaying(monkeypatch):
    """Looks at which a duty of one message was queued, out of that many; the first attempts may find no broker."""
    monkeypatch.setattr(agent_module.db, "plan", lambda *_: None)

    def looks(count, away=0):
        queued, now = [], [0]

        def dispatch(*_):
            if now[0] < away:
                raise BrokerAway
            queued.append(now[0])

        agent = made(Surroundings(), dispatch)
        agent._view.epochs[1] = SimpleNamespace(head=SimpleNamespace(hash=b"h" * 32))
        for now[0] in range(count):
            try:
                agent._replay(SCOPE, 1, Duties({0: (4,)}))
            except BrokerAway:
                continue
        return queued

    return looks


def test_replay_not_done_is_queued_again_ever_more_seldom(replaying):
    assert replaying(60) == [0, 8, 24, 56]


def test_replay_that_found_no_broker_is_queued_at_the_next_look(replaying):
    assert replaying(12, away=2) == [2, 10]
