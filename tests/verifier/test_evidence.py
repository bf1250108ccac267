"""What a verifier does about an epoch's data that does not come."""

from types import SimpleNamespace

import pytest

from verifier.audit import Evidence
from verifier.context import Context

COMMIT_S = 15
HEAD = b"h" * 32


class Store(Context):
    """A context whose epochs have the evidence that the test puts there."""

    def __init__(self):
        self.now = 100.0
        self.asked = 0
        self.withheld = True
        super().__init__(SimpleNamespace(), lambda: self.now)
        self.client = SimpleNamespace(deployment=SimpleNamespace(clocks={"commit": COMMIT_S}))

    def _gather(self, epoch_id, _head_hash):
        self.asked += 1
        return Evidence(epoch_id, None, {}, frozenset({0}), self.withheld)


@pytest.fixture
def store():
    return Store()


def test_evidence_withheld_is_no_evidence_before_a_third_of_the_commit_phase(store):
    assert store.evidence_of(1, HEAD) is None
    store.now += COMMIT_S / 3 - 0.1
    assert store.evidence_of(1, HEAD) is None
    store.now += 0.2
    assert store.evidence_of(1, HEAD).missing == {0}


def test_evidence_that_comes_late_is_taken_and_kept(store):
    assert store.evidence_of(1, HEAD) is None
    store.withheld = False
    store.now += 3
    found = store.evidence_of(1, HEAD)
    assert not found.withheld
    assert store.evidence_of(1, HEAD) is found
    assert store.asked == 2


def test_evidence_withheld_is_asked_for_again_but_not_with_every_look(store):
    for _ in range(10):
        store.evidence_of(1, HEAD)
        store.now += 0.5
    assert store.asked == 2


def test_evidence_withheld_of_very_many_epochs_is_bounded(store):
    for epoch in range(1_000):
        store.evidence_of(epoch, HEAD)
    assert len(store._withheld) <= 64
