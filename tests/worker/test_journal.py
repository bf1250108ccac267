import json

import pytest

from protocol.encoding import to_hex
from tests.worker.fake_market import NETWORK, inputs_of, make_bid, make_grant, results_of
from worker.book import Book
from worker.errors import JournalBusy, JournalCorrupt
from worker.facts import (
    Convicted,
    LeaseSettled,
    LeaseTaken,
    NetworkPinned,
    Outcome,
    PeriodMoved,
    ReceiptSigned,
    ResultsRecorded,
    fact_from_json,
    fact_to_json,
)
from worker.journal import LINE_OUTPUTS_BYTES, Journal, read_facts

BID = make_bid(inputs_of(10))
GRANT = make_grant(BID)


def signed_facts():
    facts = [
        NetworkPinned(NETWORK),
        LeaseTaken(GRANT),
        ResultsRecorded(GRANT.key, results_of(GRANT), b"\x09" * 32),
    ]
    receipt = Book(facts).receipt_of(GRANT.key)
    return [*facts, ReceiptSigned(GRANT.key, receipt, b"\x01" * 65), LeaseSettled(GRANT.key, Outcome.ACCEPTED)]


def written(folder, facts):
    journal = Journal(folder)
    for fact in facts:
        journal.append(fact)
    journal.close()


@pytest.mark.parametrize("fact", [*signed_facts(), PeriodMoved(GRANT.key, 4), Convicted()])
def test_fact_survives_json(fact):
    assert fact_from_json(json.loads(json.dumps(fact_to_json(fact)))) == fact


def test_journal_reads_back_what_was_written(tmp_path):
    written(tmp_path, signed_facts())
    assert list(Journal(tmp_path).facts) == signed_facts()


def test_journal_cut_anywhere_reads_back_a_prefix_and_goes_on(tmp_path):
    facts = signed_facts()
    written(tmp_path / "whole", facts)
    data = (tmp_path / "whole" / "journal.jsonl").read_bytes()
    for cut in range(0, len(data), 97):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(data[:cut])
        journal = Journal(folder)
        count = data[:cut].count(b"\n")
        assert list(journal.facts) == facts[:count]
        journal.append(Convicted())
        journal.close()
        assert list(Journal(folder).facts) == [*facts[:count], Convicted()]


def test_journal_with_a_damaged_line_in_the_middle_is_corrupt(tmp_path):
    written(tmp_path, signed_facts())
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"fact":"results"', b'"fact":"rumours"'))
    with pytest.raises(JournalCorrupt, match="line 3"):
        Journal(tmp_path)


def test_journal_in_use_is_busy(tmp_path):
    journal = Journal(tmp_path)
    with pytest.raises(JournalBusy):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_receipt_that_is_not_that_of_its_results_is_corrupt():
    facts = signed_facts()
    forged = results_of(GRANT, 2_000)
    facts[2] = ResultsRecorded(GRANT.key, forged, b"\x09" * 32)
    with pytest.raises(JournalCorrupt, match="is not that of its results"):
        Book(facts)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([LeaseSettled(GRANT.key, Outcome.DROPPED)], "never taken"),
        ([LeaseTaken(GRANT), LeaseTaken(GRANT)], "taken twice"),
        ([LeaseTaken(GRANT), LeaseSettled(GRANT.key, Outcome.ACCEPTED)], "without a receipt"),
        ([LeaseTaken(GRANT), PeriodMoved(GRANT.key, 0)], "moved back"),
        ([LeaseTaken(GRANT), ReceiptSigned(GRANT.key, signed_facts()[3].receipt, b"")], "no receipt"),
        ([*signed_facts()[:3], signed_facts()[2]], "has results already"),
    ],
)
def test_facts_that_contradict_each_other_are_corrupt(facts, reason):
    with pytest.raises(JournalCorrupt, match=reason):
        Book(facts)


def test_compact_keeps_what_is_asked_for_and_goes_on(tmp_path):
    facts = signed_facts()
    journal = Journal(tmp_path)
    for fact in facts:
        journal.append(fact)
    journal.compact(lambda fact: isinstance(fact, NetworkPinned))
    journal.append(Convicted())
    journal.close()
    assert list(Journal(tmp_path).facts) == [facts[0], Convicted()]


def test_large_journal_says_so_until_compacted(tmp_path, monkeypatch):
    monkeypatch.setattr("worker.journal.COMPACT_ABOVE_BYTES", 100)
    journal = Journal(tmp_path)
    assert not journal.is_large
    for fact in signed_facts():
        journal.append(fact)
    assert journal.is_large
    journal.compact(lambda _: False)
    assert not journal.is_large


SMALL, LARGE = b"outputs", b"outputs" * LINE_OUTPUTS_BYTES


@pytest.mark.parametrize("blob", [SMALL, LARGE])
def test_outputs_are_kept_until_forgotten(tmp_path, blob):
    journal = Journal(tmp_path)
    name = journal.keep_outputs(blob)
    assert journal.outputs(name) == blob
    journal.forget_outputs(name)
    assert journal.outputs(name) is None


@pytest.mark.parametrize("blob", [SMALL, LARGE])
@pytest.mark.parametrize("compacts", [False, True])
def test_outputs_survive_the_end_of_the_process(tmp_path, blob, compacts):
    journal = Journal(tmp_path)
    name, other = journal.keep_outputs(blob), journal.keep_outputs(b"of another lease")
    journal.append(Convicted())
    journal.forget_outputs(other)
    if compacts:
        journal.compact(lambda _: True)
    journal.close()
    assert read_facts(tmp_path) == (Convicted(),)
    again = Journal(tmp_path)
    assert again.facts == (Convicted(),)
    assert again.outputs(name) == blob
    assert (again.outputs(other) is None) == compacts


def test_receipt_is_on_disk_with_all_before_it_once_it_is_written(tmp_path, monkeypatch):
    """Of a lease only its receipt waits for the disk."""
    at_sync, path = [], tmp_path / "journal.jsonl"
    journal = Journal(tmp_path)
    monkeypatch.setattr("worker.journal.os.fsync", lambda _: at_sync.append(path.read_bytes().count(b"\n")))
    network, taken, results, signed, settled = signed_facts()
    journal.append(network)
    journal.append(taken)
    journal.keep_outputs(SMALL)
    journal.append(results)
    journal.append(signed)
    journal.append(settled)
    assert at_sync == [1, 5]


def test_outputs_damaged_on_disk_count_as_gone(tmp_path):
    journal = Journal(tmp_path)
    name = journal.keep_outputs(LARGE)
    (tmp_path / "outputs" / name.hex()).write_bytes(b"outputz")
    assert journal.outputs(name) is None


@pytest.mark.parametrize("text", ["=", "not base64!", 7, None])
def test_journal_with_damaged_outputs_in_a_line_is_corrupt(tmp_path, text):
    (tmp_path / "journal.jsonl").write_text(json.dumps({"keptOutputs": text}) + "\n")
    with pytest.raises(JournalCorrupt, match="line 1"):
        Journal(tmp_path)


def test_outputs_left_by_a_crash_are_removed(tmp_path):
    journal = Journal(tmp_path)
    blobs = [b"kept", b"lost", LARGE + b"kept", LARGE + b"lost"]
    kept, lost, kept_file, lost_file = map(journal.keep_outputs, blobs)
    (tmp_path / "outputs" / "half.part").write_bytes(b"ha")
    journal.forget_outputs_but([kept, kept_file])
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == [kept_file.hex()]
    assert [journal.outputs(name) is None for name in (kept, lost, kept_file, lost_file)] == [False, True] * 2


def test_key_reads_as_job_and_number():
    assert str(GRANT.key) == f"{to_hex(BID.job_id)[:10]}/1"
