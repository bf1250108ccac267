import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingInvalid, SpansInvalid
from protocol.spans import WORDS_MAX, SpanSet, span_count, tasks_of_span


@pytest.mark.parametrize("spans", [[], [1, 1], [-1], [2**32], [True], [0, 256 * WORDS_MAX]])
def test_of_spans_that_are_no_set_is_refused(spans):
    with pytest.raises(SpansInvalid):
        SpanSet.of(spans)


@pytest.mark.parametrize(
    ("first_word", "words"), [(0, ()), (0, (0,)), (0, (0, 1)), (0, (1, 0)), (2**24, (1,)), (0, (1,) * (WORDS_MAX + 1))]
)
def test_span_set_out_of_canonical_form_is_refused(first_word, words):
    with pytest.raises(SpansInvalid):
        SpanSet(first_word, words)


@pytest.mark.parametrize(("first_word", "words"), [(-1, (1,)), (2**32, (1,)), (0, (2**256,)), (0, (-1,))])
def test_span_set_outside_its_types_is_refused(first_word, words):
    with pytest.raises((EncodingInvalid, SpansInvalid)):
        SpanSet(first_word, words)


@pytest.mark.parametrize("span", [-1, 113])
def test_tasks_of_a_span_outside_the_job_is_refused(span):
    with pytest.raises(SpansInvalid):
        tasks_of_span(span, 1797, 16)


def test_tasks_and_count_with_a_span_outside_the_job_are_refused():
    spans = SpanSet.of([0, 113])
    with pytest.raises(SpansInvalid):
        spans.tasks(1797, 16)
    with pytest.raises(SpansInvalid):
        spans.count(1797, 16)


def test_tasks_with_the_short_last_span_are_the_jobs_in_order():
    assert SpanSet.of([112, 0]).tasks(1797, 16) == (*range(16), 1792, 1793, 1794, 1795, 1796)
    assert SpanSet.of([112, 0]).count(1797, 16) == 21


def test_hash_is_that_of_abi_encode():
    spans = SpanSet.of([300, 255, 1023])
    assert (spans.first_word, len(spans.words)) == (0, 4)
    assert spans.hash == keccak(encode(["uint32", "uint256[]"], [spans.first_word, list(spans.words)]))


@given(st.sets(st.integers(0, 5000), min_size=1))
def test_spans_of_a_set_are_those_it_was_made_of(numbers):
    spans = SpanSet.of(numbers)
    assert list(spans) == sorted(numbers)
    assert len(spans) == len(numbers)
    assert all((number in spans) == (number in numbers) for number in range(5300))
    assert SpanSet(spans.first_word, spans.words) == spans


@given(st.integers(1, 5000), st.integers(1, 256), st.data())
def test_count_is_the_number_of_tasks(task_count, span_tasks, data):
    last = span_count(task_count, span_tasks) - 1
    spans = SpanSet.of(data.draw(st.sets(st.integers(0, last), min_size=1)))
    tasks = spans.tasks(task_count, span_tasks)
    assert spans.count(task_count, span_tasks) == len(tasks)
    assert list(tasks) == sorted(set(tasks))
    assert tasks[-1] < task_count
