"""Rows settle once, and do not depend on when their readings arrived."""

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.model.settled_grid import SettledGrid
from lstm_predictor.model.window import FEATURE, Window, WindowConfig
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
CONFIG = WindowConfig()
LATE_NS = 12 * CONFIG.step_ns  # by which a reading may be late


def readings_of(stamps, seed=0):
    """Return odometry of a winding path at stamps [ns], with IMU and commands between."""
    random = np.random.default_rng(seed)
    found, pose = [], np.zeros(3)
    for before, stamp in zip([stamps[0], *stamps], stamps):
        twist = np.array([0.3 + 0.2 * np.sin(1e-9 * stamp), 0.0, np.cos(0.7e-9 * stamp)])
        pose = se2.compose(pose, se2.exp(twist * 1e-9 * (stamp - before)))
        found.append(Odometry(int(stamp), *pose.tolist(), twist[0], twist[2]))
    span = stamps[-1] - stamps[0]
    for _ in range(20):
        at = int(stamps[0] + random.integers(1, max(span, 2)))
        found += [Imu(at, *random.normal(size=2).tolist()),
                  Command(at, *random.normal(size=2).tolist())]
    return sorted(found, key=lambda reading: reading.stamp_ns)


def settled_at_once(readings, until_ns):
    window = Window(CONFIG, forget=False)
    for reading in readings:
        window.add(reading)
    return SettledGrid(window).settle(until_ns)


@st.composite
def drives(draw):
    """Return the stamps [ns] of odometry of some rate, with jitter and pauses."""
    rate = draw(st.sampled_from([5.0, 15.0, 20.0, 20.02, 29.97, 50.0, 200.0]))
    jitter = draw(st.sampled_from([0.0, 0.02, 0.3]))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    times = (np.arange(int(rate * 5.0)) + jitter * random.random(int(rate * 5.0))) / rate
    for at in draw(st.lists(st.floats(0.5, 4.5), max_size=2)):
        times[times > at] += random.uniform(0.3, 3.0)
    return SECOND + np.round(times * SECOND).astype(np.int64)


@settings(max_examples=40, deadline=None)
@given(drives(), st.integers(0, 1000), st.booleans())
def test_rows_are_the_same_one_by_one_late_and_all_at_once(stamps, seed, late):
    readings = readings_of(stamps, seed)
    random = np.random.default_rng(seed)
    delays = random.integers(0, LATE_NS - CONFIG.step_ns, len(readings)) * late
    order = np.argsort([r.stamp_ns + delay for r, delay in zip(readings, delays)], kind='stable')
    window = Window(CONFIG, forget=False)
    grid = SettledGrid(window)
    parts = []
    for i in order:
        window.add(readings[i])
        if len(window.odometry):
            parts.append(grid.settle(int(window.odometry.times[-1]) - LATE_NS))
    whole = settled_at_once(readings, grid.settled_ns)
    np.testing.assert_array_equal(np.concatenate([p.stamps_ns for p in parts]), whole.stamps_ns)
    np.testing.assert_array_equal(np.concatenate([p.rows for p in parts]), whole.rows)


@settings(max_examples=40, deadline=None)
@given(drives())
def test_rows_are_a_step_apart_and_none_lies_in_a_pause(stamps):
    found = settled_at_once(readings_of(stamps), int(stamps[-1]))
    there = found.rows[:, FEATURE['odometry_valid']] > 0.5
    apart = np.diff(found.stamps_ns)
    step_ns = CONFIG.step_ns
    assert (apart[there[1:]] >= 0.9 * step_ns).all()
    assert (apart[there[1:]] <= 1.1 * step_ns).all()
    pauses = np.flatnonzero(np.diff(stamps) > 1e9 * CONFIG.max_gap)
    inside = (found.stamps_ns[:, None] > stamps[pauses]) & (
        found.stamps_ns[:, None] < stamps[pauses + 1])
    assert not inside.any()
    assert not found.rows[~there].any()
    assert (~there).sum() <= len(pauses)


@pytest.mark.parametrize('rate', [20.0, 20.1, 40.0, 10.0])
def test_rows_are_at_the_stamps_of_odometry_at_a_rate_of_the_grid(rate):
    """Also where one of the clocks runs half a percent fast: the rows follow the odometry."""
    stamps = SECOND + np.round(np.arange(200) / rate * SECOND).astype(np.int64)
    found = settled_at_once(readings_of(stamps), int(stamps[-1]))
    assert len(found.stamps_ns) > 90
    exact = np.isin(found.stamps_ns, stamps)
    assert exact.mean() == (1.0 if rate >= 20.0 else pytest.approx(0.5, abs=0.02))


def test_a_reading_from_before_what_is_settled_changes_nothing():
    stamps = SECOND + np.arange(100) * CONFIG.step_ns
    readings = readings_of(stamps)
    window = Window(CONFIG, forget=False)
    grid = SettledGrid(window)
    for reading in readings:
        window.add(reading)
    first = grid.settle(int(stamps[60]))
    window.add(Command(int(stamps[30]) + 1, 9.0, 9.0))
    rest = grid.settle(int(stamps[-1]))
    expected = settled_at_once(readings, int(stamps[-1])).rows
    # The command stays in force until the next one, but for what is settled.
    np.testing.assert_array_equal(first.rows, expected[:len(first.rows)])
    assert grid.settle(int(stamps[-1])).rows.shape == (0, expected.shape[1])
    assert len(first.rows) + len(rest.rows) == len(expected)


@pytest.mark.parametrize('rate', [5.0, 10.1, 15.0, 20.0, 30.0, 50.0])
def test_a_measured_row_does_not_change_with_what_comes_later(rate):
    """Between two messages a row is interpolated, and knows of the later one."""
    stamps = SECOND + np.round(np.arange(round(8 * rate)) / rate * SECOND).astype(np.int64)
    readings = readings_of(stamps)
    whole = settled_at_once(readings, int(stamps[-1]))
    turned = [reading._replace(x=reading.x + 1.0) if isinstance(reading, Odometry)
              and reading.stamp_ns > stamps[len(stamps) // 2] else reading for reading in readings]
    other = settled_at_once(turned, int(stamps[-1]))
    before = whole.stamps_ns <= stamps[len(stamps) // 2]
    measured = whole.rows[:, FEATURE['measured']] > 0.5
    for i in np.flatnonzero(measured & before):
        np.testing.assert_array_equal(whole.rows[i], other.rows[i])
    assert np.isin(whole.stamps_ns, stamps)[measured].all()
    assert measured.mean() > 0.2
    after = int(np.flatnonzero(~before)[0])
    if whole.stamps_ns[after] < stamps[len(stamps) // 2 + 1]:  # interpolated across the change
        assert not measured[after]
        assert np.abs(whole.rows[after] - other.rows[after]).max() > 0.1
