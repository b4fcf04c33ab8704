"""A stream is the sorted set of its readings, whatever order they come in."""

from hypothesis import given, strategies as st
from lstm_predictor.common.time_series import TimeSeries
import numpy as np

arrivals = st.lists(st.tuples(st.integers(0, 60), st.floats(-1e9, 1e9)), max_size=80)


def filled(arrivals, span_ns=None):
    """Return a stream and what its `add` said to each (stamp, value)."""
    stream = TimeSeries(2, span_ns)
    taken = [stream.add(stamp, (value, -value)) for stamp, value in arrivals]
    return stream, taken


def content(stream):
    return dict(zip(stream.times.tolist(), stream.values[:, 0].tolist()))


def first_of_each(arrivals):
    """Return the value by stamp; of two readings of one stamp the first."""
    return dict(reversed(arrivals))


@given(arrivals)
def test_holds_the_first_reading_of_each_stamp_in_order(arrivals):
    stream, _ = filled(arrivals)
    assert content(stream) == first_of_each(arrivals)
    assert (np.diff(stream.times) > 0).all()
    np.testing.assert_array_equal(stream.values[:, 1], -stream.values[:, 0])


@given(arrivals)
def test_says_what_is_new(arrivals):
    _, taken = filled(arrivals)
    stamps = [stamp for stamp, _ in arrivals]
    assert taken == [stamp not in stamps[:i] for i, stamp in enumerate(stamps)]


@given(st.dictionaries(st.integers(0, 1000), st.floats(-1.0, 1.0), min_size=1),
       st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(readings, random):
    arrivals = list(readings.items()) * 2
    random.shuffle(arrivals)
    assert content(filled(arrivals)[0]) == readings


@given(arrivals, st.integers(0, 30))
def test_forgets_what_is_older_than_the_span_and_nothing_else(arrivals, span_ns):
    stream, _ = filled(arrivals, span_ns)
    newest = max((stamp for stamp, _ in arrivals), default=0)
    assert content(stream) == {
        stamp: value for stamp, value in first_of_each(arrivals).items()
        if stamp >= newest - span_ns}


def test_too_old_to_matter_is_refused():
    stream, _ = filled([(100, 1.0)], span_ns=10)
    assert not stream.add(89, (0.0, 0.0))
    assert stream.add(90, (0.0, 0.0))


def test_memory_is_bounded_by_the_span():
    stream = TimeSeries(2, span_ns=1000)
    for stamp in range(1, 50_000):
        stream.add(stamp if stamp % 3 else stamp + 2, (1.0, 2.0))
    assert len(stream) <= 1001
    assert len(stream.times.base) < 5000 and len(stream.values.base) < 5000


def test_cleared_is_new():
    stream, _ = filled([(5, 1.0), (7, 2.0)])
    stream.clear()
    assert len(stream) == 0 and stream.times.size == 0
    assert stream.add(1, (3.0, -3.0)) and content(stream) == {1: 3.0}


def test_memory_stays_flat_for_days():
    stream = TimeSeries(2, span_ns=1_000)
    for stamp_ns in range(200_000):
        stream.add(stamp_ns, (0.0, 0.0))
    assert len(stream._times) < 4_000
