"""Drives the device's state machine by hand."""

from random import Random

from protocol.signing import address_of
from protocol.spans import SpanSet
from tests.worker.fake_market import (
    DEVICE,
    NETWORK,
    PRICE,
    START,
    digits,
    inputs_of,
    make_bid,
    results_of,
)
from worker import moves
from worker.facts import ReceiptSigned
from worker.grants import ReceiptBase, Terms
from worker.state import Device
from worker.work import Work

BID = make_bid(inputs_of(40))
TERMS = Terms(address_of(DEVICE), PRICE // 2, 16)
OUTPUTS = b"\x05" * 32


class Driver:
    """Answers the machine's steps and keeps its instructions."""

    def __init__(self, facts=(), now=START):
        self.device = Device(TERMS, Random(1), facts)
        self.now = now
        self.facts = list(facts)
        self.said = []
        self._take(self.device.start(now))

    def _take(self, instructions):
        self.said = instructions
        self.facts += [i.fact for i in instructions if isinstance(i, moves.Record)]
        return instructions

    @property
    def step(self):
        steps = [i for i in self.said if isinstance(i, moves.Step)]
        return steps[-1] if steps else None

    def kinds(self):
        return [type(i) for i in self.said if not isinstance(i, moves.Record)]

    def answer(self, kind, *args):
        return self._take(self.device.handle(kind(self.step.ticket, *args), self.now))

    def tell(self, event):
        return self._take(self.device.handle(event, self.now))

    def open(self):
        self.answer(moves.SessionOpened, NETWORK, self.now + 900)
        return self

    def give(self, grant):
        self.answer(moves.LeaseGiven, grant)
        return self

    def run(self, grant):
        self.give(grant)
        self.answer(moves.WorkReady, Work(BID, digits(), ()))
        return self

    def compute(self, grant, results=None):
        self.run(grant)
        self.answer(moves.ResultsComputed, results or results_of(grant), OUTPUTS)
        return self

    def sign(self):
        submit = self.step
        assert isinstance(submit, moves.Submit)
        fact = ReceiptSigned(submit.key, submit.receipt, b"\x01" * 65)
        self.device.book.apply(fact)
        self.facts.append(fact)
        return self

    def accept(self, grant, results=None):
        self.compute(grant, results).sign()
        self.answer(moves.Accepted)
        return self


def base_of(*grants, wu=1_000):
    results = [result for grant in grants for result in results_of(grant, wu)]
    spans = [span for grant in grants for span in grant.lease.spans]
    return ReceiptBase(SpanSet.of(spans), len(results), sum(result.wu for result in results))
