"""Clocks that are apart, and clocks that jump."""

from hypothesis import given, strategies as st
from lstm_predictor.common.clock_offset import ClockOffset, JumpWatch
import pytest

SECOND = 1_000_000_000
STEP = SECOND // 20


def watched(*arrivals):
    """Return a watch that has seen (stamp [s], time of receipt [s])."""
    watch = JumpWatch(0.3)
    for stamp, steady in arrivals:
        watch.add(round(SECOND * stamp), steady)
    return watch


@given(st.lists(st.floats(0.0, 0.25), min_size=2, max_size=40))
def test_a_network_that_delays_is_no_clock_that_jumps(delays):
    steady = [0.05 * i + delay for i, delay in enumerate(delays)]
    watch = watched(*((100.0 + 0.05 * i, at) for i, at in enumerate(sorted(steady))))
    assert watch.size == 0.0


@pytest.mark.parametrize('pace', [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize('missing', [0.0, 2.0, 60.0])
def test_simulated_time_has_its_own_pace(pace, missing):
    watch = watched((100.0, 0.0), (100.05, 0.05 / pace),
                    (100.05 + missing, (0.05 + missing) / pace))
    assert watch.size == 0.0


@pytest.mark.parametrize('jump', [-50.0, -0.5, 0.5, 2.0, 3600.0])
def test_a_jump_is_seen_when_it_comes_and_how_far_it_went(jump):
    watch = watched((100.0, 0.0), (100.05, 0.05), (100.1 + jump, 0.1), (100.15 + jump, 0.15))
    assert watch.jumped_at == 0.1 and watch.size == pytest.approx(0.05 + jump)


@pytest.mark.parametrize('silence', [0.5, 10.0])
def test_silence_is_no_jump_however_long(silence):
    watch = watched((100.0, 0.0), (100.0 + silence, silence))
    assert watch.size == 0.0


def test_messages_that_come_all_at_once_after_a_pause_are_no_jump():
    watch = watched((100.0, 0.0), *((100.05 + 0.05 * i, 2.0) for i in range(40)))
    assert watch.size == 0.0


def test_the_offset_is_that_of_most_messages_and_begins_anew_after_a_jump():
    offset = ClockOffset()
    for i in range(50):
        offset.add(i * STEP + (400 if i % 10 == 0 else 30), i * STEP)
    assert offset.offset_ns == 30
    offset.add(50 * STEP, 50 * STEP + 5 * SECOND)
    assert offset.offset_ns == -5 * SECOND
