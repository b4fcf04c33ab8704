"""What a window says, and that it says it of the past alone."""

from dataclasses import replace
import itertools

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.model.window import FEATURE, FEATURES, Window, WindowConfig
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
CONFIG = WindowConfig(length=20, max_speed=0.5, max_yaw_rate=3.0)
STEP = CONFIG.step_ns
LINEAR = [FEATURE[name] for name in ('speed', 'pose_speed', 'pose_side_speed')]
IMU = [FEATURE[name] for name in ('imu_yaw_rate', 'imu_acceleration', 'imu_valid')]
COMMAND = [FEATURE[name] for name in (
    'command_speed', 'command_yaw_rate', 'command_age', 'command_valid')]

offsets = st.integers(1, 2 * SECOND)
numbers = st.floats(-1e300, 1e300)
late_readings = st.lists(st.one_of(
    st.builds(Odometry, offsets, numbers, numbers, numbers, numbers, numbers),
    st.builds(Imu, offsets, numbers, numbers),
    st.builds(Command, offsets, numbers, numbers)), min_size=1, max_size=8)


def window_of(readings, config=CONFIG, forget=False):
    window = Window(config, forget)
    for reading in readings:
        window.add(reading)
    return window


def times(rate, seconds, jitter=0.0, rng=None):
    """Return stamps [ns] of a topic, each late by up to `jitter` of its period."""
    count = int(seconds * rate)
    late = jitter * rng.random(count) if jitter else 0.0
    return START + np.round((np.arange(count) + late) * SECOND / rate).astype(np.int64)


class Motion:
    """A smooth drive: its twist is given, its pose is the integral."""

    def __init__(self, seconds=6.0):
        self._t = np.arange(0.0, seconds, 1e-3)
        speed, yaw_rate = self.twist(self._t)
        yaw = np.cumsum(yaw_rate) * 1e-3 + 2.5
        x, y = np.cumsum(speed * np.cos(yaw)) * 1e-3, np.cumsum(speed * np.sin(yaw)) * 1e-3
        self._pose = np.stack([x, y, yaw], axis=-1)

    @staticmethod
    def twist(t):
        return 0.2 + 0.05 * np.sin(0.8 * t), 0.5 + 0.2 * np.cos(0.6 * t)

    def odometry(self, stamps):
        t = 1e-9 * (stamps - START)
        pose = np.stack([np.interp(t, self._t, column) for column in self._pose.T], axis=-1)
        pose[:, 2] = se2.wrap(pose[:, 2])
        return [Odometry(stamp, *row, *twist) for stamp, row, twist in zip(
            stamps.tolist(), pose.tolist(), np.stack(self.twist(t), -1).tolist())]

    def imu(self, stamps):
        t = 1e-9 * (stamps - START)
        return [Imu(stamp, *row) for stamp, row in zip(stamps.tolist(), np.stack(
            [self.twist(t)[1], 0.04 * np.cos(0.8 * t)], -1).tolist())]


MOTION = Motion()


def drive(seed=0, odom_rate=20.0, imu_rate=100.0, seconds=4.0):
    """Return jittered readings of the smooth drive under random commands, in order of stamps."""
    rng = np.random.default_rng(seed)
    commanded = START + np.sort(rng.integers(0, int(seconds * SECOND), 25))
    readings = MOTION.odometry(times(odom_rate, seconds, 0.4, rng)) + \
        MOTION.imu(times(imu_rate, seconds, 0.4, rng)) + \
        [Command(stamp, *rng.normal(size=2)) for stamp in commanded.tolist()]
    # What the robot measured at a stamp is heard no later than its odometry of that stamp.
    return sorted(readings, key=lambda r: (r.stamp_ns, isinstance(r, Odometry)))


def anchors_of(window):
    stamps = window.odometry.times
    return stamps[window.has_coverage(stamps)]


def of(kind, readings):
    return [reading for reading in readings if isinstance(reading, kind)]


# The grid.

def test_a_row_stands_for_each_step_up_to_the_anchor():
    window = window_of(drive())
    anchors = anchors_of(window)
    assert window.rows(anchors).shape == (len(anchors), CONFIG.length, len(FEATURES))
    assert (window.grid(anchors)[:, -1] == anchors).all()
    assert (np.diff(window.grid(anchors)) == STEP).all()


def test_the_newest_row_is_the_newest_measurement():
    readings = drive(odom_rate=29.97)
    last = of(Odometry, readings)[-1]
    window = window_of(readings)
    row = window.rows(np.array([last.stamp_ns]))[0, -1]
    assert row[:2] == pytest.approx(last[4:6], rel=1e-12)
    assert window.poses(np.array([last.stamp_ns]))[0] == pytest.approx(last[1:4], rel=1e-12)


@pytest.mark.parametrize('odom_rate', [20.0, 30.0, 50.0])
@pytest.mark.parametrize('imu_rate', [20.0, 100.0, 200.0])
def test_rows_are_the_motion_whatever_the_rates(odom_rate, imu_rate):
    window = window_of(MOTION.odometry(times(odom_rate, 4.0)) + MOTION.imu(times(imu_rate, 4.0)))
    anchor = np.array([START + 3 * SECOND])
    t = 1e-9 * (window.grid(anchor)[0] - START)
    speed, yaw_rate = MOTION.twist(t)
    middle_speed, middle_yaw_rate = MOTION.twist(t - 0.5e-9 * STEP)
    rows = window.rows(anchor)[0].T
    for name, expected, tolerance in (
            ('speed', speed, 1e-4), ('yaw_rate', yaw_rate, 1e-4),
            ('pose_speed', middle_speed, 1e-3), ('pose_side_speed', 0.0, 2e-3),
            ('pose_yaw_rate', middle_yaw_rate, 2e-3), ('imu_yaw_rate', yaw_rate, 4e-3),
            ('imu_acceleration', 0.04 * np.cos(0.8 * t), 2e-3), ('imu_valid', 1.0, 0.0)):
        np.testing.assert_allclose(rows[FEATURE[name]], expected, atol=tolerance, err_msg=name)


# Past and future, live and offline.

@settings(max_examples=60)
@given(st.integers(0, 5), st.integers(0, 20), st.sampled_from([0.5, -125.66]), late_readings)
def test_nothing_stamped_after_the_anchor_changes_its_rows(seed, back, yaw_rate, late):
    readings = drive(seed)
    anchor = anchors_of(window_of(readings))[[-1 - back]]
    readings = [r._replace(yaw_rate=yaw_rate) if isinstance(r, Odometry) and
                r.stamp_ns == anchor[0] else r for r in readings]
    before = window_of(readings)
    expected, after = before.rows(anchor), window_of(readings)
    for reading in late:
        after.add(reading._replace(stamp_ns=int(anchor[0]) + reading.stamp_ns))
    assert after.has_coverage(anchor).all()
    np.testing.assert_array_equal(after.rows(anchor), expected)


@pytest.mark.parametrize('odom_rate, imu_rate', [(20.0, 20.0), (30.0, 200.0), (50.0, 30.0)])
@pytest.mark.parametrize('memory', [0.1, 2.0])
def test_live_is_offline(odom_rate, imu_rate, memory):
    config = replace(CONFIG, command_memory=memory, max_gap=0.2)
    readings = drive(1, odom_rate, imu_rate, seconds=5.0)
    offline, live = window_of(readings, config), Window(config)
    compared = 0
    for reading in readings:
        live.add(reading)
        anchor = np.array([reading.stamp_ns])
        if isinstance(reading, Odometry):
            covered = bool(live.has_coverage(anchor)[0])
            assert covered == bool(offline.has_coverage(anchor)[0])
            if covered:
                compared += 1
                np.testing.assert_allclose(
                    live.rows(anchor), offline.rows(anchor), rtol=0.0, atol=1e-9)
    assert compared == len(anchors_of(offline)) > 50


def test_live_is_offline_when_messages_are_late_and_repeated():
    """Of an anchor 0.2 s ago, when all that is late by up to 0.1 s has come."""
    rng = np.random.default_rng(2)
    readings = drive(2, seconds=6.0) + drive(2, seconds=6.0)
    arrival = [reading.stamp_ns + rng.integers(SECOND // 10) for reading in readings]
    offline, live = window_of(readings), Window(CONFIG)
    anchors = anchors_of(offline)
    for index in np.argsort(arrival):
        live.add(readings[index])
        anchor = anchors[np.searchsorted(anchors, arrival[index] - SECOND // 5) - 1:][:1]
        if len(anchor) and anchor[0] <= arrival[index] - SECOND // 5:
            np.testing.assert_allclose(
                live.rows(anchor), offline.rows(anchor), rtol=0.0, atol=1e-9)
    assert len(anchors) > 50


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(random):
    readings = drive(3)
    shuffled = readings + readings[::3]
    random.shuffle(shuffled)
    ordered, other = window_of(readings), window_of(shuffled)
    anchors = anchors_of(ordered)
    np.testing.assert_array_equal(anchors_of(other), anchors)
    np.testing.assert_array_equal(other.rows(anchors), ordered.rows(anchors))


def test_add_says_whether_a_reading_is_new():
    window = Window(CONFIG)
    for reading in (Odometry(5, 0.0, 0.0, 0.0, 0.0, 0.0), Imu(5, 0.0, 0.0), Command(5, 0.0, 0.0)):
        assert window.add(reading) and not window.add(reading)


def test_memory_is_bounded_when_the_past_is_forgotten():
    window = Window(CONFIG)
    for index in range(40_000):
        window.add(Odometry(START + index * STEP // 4, 0.0, 0.0, 0.0, 0.0, 0.0))
        window.add(Imu(START + index * STEP // 4, 0.0, 0.0))
        window.add(Command(START + index * STEP // 4, 0.0, 0.0))
    for stream in (window.odometry, window.imu, window.commands):
        assert len(stream) <= 4 * CONFIG.span_ns / STEP + 1


@pytest.mark.parametrize('spike', [100.0, 1e12, 1e300])
def test_an_imu_reading_before_the_window_does_not_matter(spike):
    readings = drive(4)
    clean, other = window_of(readings), window_of(readings)
    anchor = anchors_of(clean)[[-1]]
    other.add(Imu(int(clean.grid(anchor)[0, 0]) - SECOND // 2, spike, spike))
    np.testing.assert_allclose(other.rows(anchor), clean.rows(anchor), atol=1e-9)


def test_reset_is_a_new_window():
    window = window_of(drive(5))
    window.reset()
    assert not window.has_coverage(np.array([START + 3 * SECOND])).any()
    for reading in drive(6):
        window.add(reading)
    anchors = anchors_of(window)
    np.testing.assert_array_equal(window.rows(anchors), window_of(drive(6)).rows(anchors))


# What stays the same when the world is moved.

@given(st.integers(-START + 1, START))
def test_rows_do_not_depend_on_the_time_of_day(shift):
    readings = drive(7, seconds=2.0)
    here = window_of(readings)
    there = window_of(r._replace(stamp_ns=r.stamp_ns + shift) for r in readings)
    anchors = anchors_of(here)
    np.testing.assert_array_equal(there.has_coverage(anchors + shift), True)
    np.testing.assert_array_equal(there.rows(anchors + shift), here.rows(anchors))


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-4.0, 4.0))
def test_rows_do_not_depend_on_where_the_robot_is(x, y, yaw):
    readings = of(Odometry, drive(8, seconds=2.0))
    moved = [r._replace(**dict(zip(('x', 'y', 'yaw'), se2.compose([x, y, yaw], r[1:4]))))
             for r in readings]
    here, there = window_of(readings), window_of(moved)
    anchors = anchors_of(here)
    np.testing.assert_allclose(there.rows(anchors), here.rows(anchors), atol=1e-9)


@given(st.floats(0.01, 100.0))
def test_rows_scale_with_the_robot(factor):
    readings = of(Odometry, drive(9, seconds=2.0))
    large = [r._replace(x=factor * r.x, y=factor * r.y, speed=factor * r.speed)
             for r in readings]
    here, there = window_of(readings), window_of(large)
    expected = here.rows(anchors_of(here))
    expected[..., LINEAR] *= factor
    np.testing.assert_allclose(
        there.rows(anchors_of(here)), expected, atol=1e-9 * max(factor, 1.0))


# Gaps.

def without(readings, begin, end):
    """Return the readings without the odometry between two times [s]."""
    return [r for r in readings if not (
        isinstance(r, Odometry) and begin < 1e-9 * (r.stamp_ns - START) < end)]


@pytest.mark.parametrize('hole, whole', [((2.0, 2.4), True), ((2.0, 2.8), False)])
def test_a_gap_ends_a_window(hole, whole):
    window = window_of(without(drive(10), *hole))
    anchor = np.array([r.stamp_ns for r in of(Odometry, drive(10))
                       if r.stamp_ns > START + 2.9 * SECOND][:1])
    assert window.has_coverage(anchor).tolist() == [whole]


def test_a_window_is_whole_again_when_the_gap_is_behind_it():
    window = window_of(without(drive(11, seconds=6.0), 2.0, 3.0))
    stamps = window.odometry.times
    covered = window.has_coverage(stamps)
    seconds = 1e-9 * (stamps - START)
    length = 1e-9 * STEP * CONFIG.length
    assert not covered[(seconds > 3.0) & (seconds < 2.9 + length)].any()
    assert covered[seconds > 3.1 + length].all()


def test_nothing_is_covered_before_the_window_is_full():
    window = window_of(drive(12))
    stamps = window.odometry.times
    full = stamps - stamps[0] >= STEP * CONFIG.length
    np.testing.assert_array_equal(window.has_coverage(stamps), full)


def test_nothing_is_covered_after_the_newest_odometry():
    window = window_of(drive(13))
    newest = window.odometry.times[-1:]
    assert window.has_coverage(newest).all() and not window.has_coverage(newest + 1).any()


@pytest.mark.parametrize('count', [0, 1])
def test_an_empty_window_covers_nothing(count):
    window = window_of(MOTION.odometry(times(20.0, 1.0)[:count]))
    assert window.has_coverage(times(20.0, 3.0)).sum() == 0


# Odometry that began, or began again, within the window.

SHORT = replace(CONFIG, shortest=8)


def test_the_newest_rows_are_enough():
    window = window_of(drive(20), SHORT)
    stamps = window.odometry.times
    enough = stamps - stamps[0] >= STEP * SHORT.shortest
    np.testing.assert_array_equal(window.has_coverage(stamps), enough)
    assert enough.sum() > window_of(drive(20)).has_coverage(stamps).sum()


@pytest.mark.parametrize('hole', [(-1.0, 1.5), (1.0, 1.8), (0.5, 1.2)])
def test_rows_from_before_a_gap_are_zero_and_the_others_as_ever(hole):
    readings = drive(21)
    whole, part = window_of(readings, SHORT), window_of(without(readings, *hole), SHORT)
    since = part.odometry.times[part.odometry.times > START + hole[1] * SECOND][0]
    anchors = anchors_of(part)
    anchors = anchors[anchors > since]
    assert len(anchors) > 20
    there = part.grid(anchors) - STEP >= since
    rows = part.rows(anchors)
    np.testing.assert_array_equal(rows[..., FEATURE['odometry_valid']], there)
    assert (rows[~there] == 0.0).all() and (~there).any() and there.all(axis=1).any()
    np.testing.assert_array_equal(rows[there], whole.rows(anchors)[there])
    assert there.sum(axis=1).min() >= SHORT.shortest


def test_live_is_offline_while_the_window_fills():
    readings = without(drive(22, seconds=5.0), 2.0, 3.0)
    offline, live = window_of(readings, SHORT), Window(SHORT)
    filled = set()
    for reading in readings:
        live.add(reading)
        anchor = np.array([reading.stamp_ns])
        if isinstance(reading, Odometry) and live.has_coverage(anchor)[0]:
            rows = live.rows(anchor)
            np.testing.assert_allclose(rows, offline.rows(anchor), rtol=0.0, atol=1e-9)
            filled.add(int(rows[..., FEATURE['odometry_valid']].sum()))
    assert filled == set(range(SHORT.shortest, SHORT.length + 1))


# IMU.

def test_without_imu_its_columns_are_zero():
    window = window_of(r for r in drive(14) if not isinstance(r, Imu))
    assert (window.rows(anchors_of(window))[..., IMU] == 0.0).all()


def test_an_imu_that_stops_becomes_invalid_soon():
    end = START + 2 * SECOND
    window = window_of(r for r in drive(15) if not isinstance(r, Imu) or r.stamp_ns < end)
    anchor = anchors_of(window)[[-1]]
    age = (window.grid(anchor)[0] - end) / STEP
    valid = window.rows(anchor)[0, :, FEATURE['imu_valid']]
    assert valid[age < 0.0].all() and not valid[age > 4.0].any()
    assert (window.rows(anchor)[0, age > 4.0][:, IMU] == 0.0).all()


# Commands.

def commanded(*commands):
    """Return COMMAND columns by time [s] of a window that heard (seconds, speed, yaw rate)."""
    window = window_of(MOTION.odometry(times(20.0, 5.5)) + [
        Command(START + round(at * SECOND), *command) for at, *command in commands])
    stamps = START + np.arange(111) * STEP
    rows = window.commands_at(stamps)
    anchor = np.array([START + 5 * SECOND])
    np.testing.assert_array_equal(
        window.rows(anchor)[0][:, COMMAND], window.commands_at(window.grid(anchor)[0]))
    return dict(zip(np.round(1e-9 * (stamps - START), 2).tolist(), rows))


def test_a_command_holds_from_its_stamp_to_the_next():
    heard = commanded((1.0, 0.1, 0.5), (1.5, -0.2, 1.0))
    assert heard[0.95].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert heard[1.0] == pytest.approx([0.1, 0.5, 0.0, 1.0])
    assert heard[1.45] == pytest.approx([0.1, 0.5, 0.45, 1.0])
    assert heard[1.5] == pytest.approx([-0.2, 1.0, 0.0, 1.0])


def test_a_command_is_forgotten_after_its_memory():
    heard = commanded((1.0, 0.1, 0.5))
    assert heard[2.95] == pytest.approx([0.1, 0.5, 1.95, 1.0])
    assert heard[3.05].tolist() == [0.0, 0.0, 0.0, 0.0]


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_a_command_beyond_the_limits_is_what_the_robot_makes_of_it(speed, yaw_rate):
    heard = commanded((1.0, speed, yaw_rate))[1.0]
    assert heard[:2].tolist() == [
        np.clip(speed, -CONFIG.max_speed, CONFIG.max_speed),
        np.clip(yaw_rate, -CONFIG.max_yaw_rate, CONFIG.max_yaw_rate)]


# A defect of TurtleBot3's driver.

def test_the_jump_of_the_yaw_rate_where_the_yaw_wraps_never_reaches_a_row():
    """For one message, when the yaw crosses pi, the driver says about 125.7 rad/s."""
    clean = of(Odometry, drive(16))
    wrapped = [i for i in range(1, len(clean)) if abs(clean[i].yaw - clean[i - 1].yaw) > 3.0]
    broken = list(clean)
    for index in wrapped:
        broken[index] = clean[index]._replace(yaw_rate=-125.66)
    assert wrapped
    anchors = anchors_of(window_of(clean))
    expected, rows = window_of(clean).rows(anchors), window_of(broken).rows(anchors)
    np.testing.assert_allclose(rows, expected, atol=0.02)


# Configuration.

@pytest.mark.parametrize('name, value', [
    ('length', 1), ('shortest', 1), ('shortest', 21),
    *itertools.product(['rate', 'max_gap', 'command_memory', 'max_speed', 'max_yaw_rate'],
                       [0.0, -1.0, float('nan')])])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=f'{name}.*{value}'):
        replace(CONFIG, **{name: value})
