"""
Sliding window: resamples the readings of the last seconds onto the model's fixed time grid.

The grid ends at the newest odometry message (the anchor) and reaches back from there in equal
steps, so that the newest row is a measurement and not an extrapolation. A row at time t is made
of readings up to the first odometry at or after t, hence never of anything later than the anchor.
The same function makes one window on the robot and a million for training.
"""

from dataclasses import dataclass

from lstm_predictor.common import se2
from lstm_predictor.common.checks import require_positive
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.common.time_series import TimeSeries

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]

# What a row of the window holds, in this order, with units. Part of the model file's contract.
FEATURES: tuple[tuple[str, str], ...] = (
    ('speed', 'm/s'),  # odometry's twist, interpolated
    ('yaw_rate', 'rad/s'),
    ('pose_speed', 'm/s'),  # change of the odometry's pose over the last step, body frame
    ('pose_side_speed', 'm/s'),
    ('pose_yaw_rate', 'rad/s'),
    ('imu_yaw_rate', 'rad/s'),  # mean over the last step, 0 where there is none
    ('imu_acceleration', 'm/s^2'),
    ('imu_valid', '1'),
    ('command_speed', 'm/s'),  # newest command, 0 where there is none
    ('command_yaw_rate', 'rad/s'),
    ('command_age', 's'),
    ('command_valid', '1'),
    ('odometry_valid', '1'),  # 0 in rows from before the odometry began: all of such a row is 0
    ('side_speed', 'm/s'),
    ('command_side_speed', 'm/s'),
    ('measured', '1'),  # 1 in rows at the stamp of an odometry message, 0 between messages
)
WINDOW_FEATURES = 13  # the first ones, which models of a sliding window read
FEATURE = {name: index for index, (name, _) in enumerate(FEATURES)}

# Columns of [speed, yaw rate] as odometry, poses and commands have them.
VELOCITIES = [[FEATURE[name] for name in pair] for pair in (
    ('speed', 'yaw_rate'), ('pose_speed', 'pose_yaw_rate'), ('command_speed', 'command_yaw_rate'))]

SLOWEST = (0.05, 0.2)  # [m/s], [rad/s] below which there is only noise

# No wheeled robot turns like this; TurtleBot3's driver says so for one message when its yaw wraps.
_IMPLAUSIBLE_YAW_RATE = 20.0  # [rad/s]
NEAR = 0.1  # distance to the stamp of a message that is none [steps]
_IMU_HOLD_STEPS = 2.5  # a step without IMU reading takes the last one up to this age [steps]


@dataclass(frozen=True)
class WindowConfig:
    """Sampling grid, and the ages up to which readings are used."""

    rate: float = 20.0  # of the grid [Hz]
    length: int = 80  # rows of the window
    shortest: int = 20  # rows that odometry must cover; the older ones may be missing
    max_gap: float = 0.5  # between odometry messages inside a window [s]
    command_memory: float = 2.0  # age beyond which a command is not used [s]
    max_speed: float = float('inf')  # to which the robot clips commands [m/s]
    max_yaw_rate: float = float('inf')  # [rad/s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if self.length < 2:
            raise ValueError(f'length must be at least 2 rows, is {self.length}')
        if not 2 <= self.shortest <= self.length:
            raise ValueError(
                f'shortest must be 2 to {self.length} rows (length), is {self.shortest}')
        require_positive(self, 'rate', 'max_gap', 'command_memory', 'max_speed', 'max_yaw_rate',
                         finite=False)

    @property
    def step_ns(self) -> int:
        """Step of the grid [ns]."""
        return round(1e9 / self.rate)

    @property
    def span_ns(self) -> int:
        """How far back readings can matter to the window of an anchor [ns]."""
        reach = (self.length + 1) / self.rate + self.max_gap
        return round(1e9 * (reach + self.command_memory))


class Window:
    """The readings of one robot and the windows that can be made of them."""

    def __init__(self, config: WindowConfig, forget: bool = True) -> None:
        """Keep only what the window of the newest anchor needs, or everything."""
        self.config = config
        span_ns = config.span_ns if forget else None
        self.odometry = TimeSeries(5, span_ns)
        self.imu = TimeSeries(2, span_ns)
        self.commands = TimeSeries(2, span_ns)

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """Insert a reading at its stamp; False where it repeats one or is too old to matter."""
        stream = {Odometry: self.odometry, Imu: self.imu, Command: self.commands}[type(reading)]
        return stream.add(reading.stamp_ns, reading[1:])

    def reset(self) -> None:
        """Forget every reading."""
        for stream in (self.odometry, self.imu, self.commands):
            stream.clear()

    def grid(self, anchors_ns: Times) -> Times:
        """Return the stamps [ns] of the rows of windows that end at `anchors_ns` (n,): (n, W)."""
        back = np.arange(self.config.length - 1, -1, -1, dtype=np.int64) * self.config.step_ns
        return np.asarray(anchors_ns, dtype=np.int64)[..., None] - back

    def has_coverage(self, anchors_ns: Times) -> NDArray[np.bool_]:
        """Return for each anchor (n,) whether odometry covers its newest rows without a gap."""
        anchors = np.asarray(anchors_ns, dtype=np.int64)
        return self.without_gap(anchors - self.config.shortest * self.config.step_ns, anchors)

    def without_gap(self, first_ns: Times, last_ns: Times) -> NDArray[np.bool_]:
        """Return whether odometry runs from `first_ns` to `last_ns` [ns] without a gap."""
        times = self.odometry.times
        if len(times) < 2:
            return np.zeros(np.shape(first_ns), dtype=bool)
        gaps_before = np.concatenate([[0], np.cumsum(np.diff(times) > 1e9 * self.config.max_gap)])
        begin = np.searchsorted(times, first_ns, side='right') - 1
        end = np.searchsorted(times, last_ns, side='left')
        inside = (begin >= 0) & (end < len(times))
        begin, end = np.maximum(begin, 0), np.minimum(end, len(times) - 1)
        return np.asarray(inside & (gaps_before[begin] == gaps_before[end]))

    def poses(self, times_ns: Times) -> Array:
        """Return the odometry's pose, interpolated, at covered stamps [ns] (...): (..., 3)."""
        return self._odometry_at(times_ns)[..., :3]

    def rows(self, anchors_ns: Times) -> Array:
        """
        Return the windows that end at covered anchors [ns] (n,): (n, W, F).

        Each row at t uses odometry up to the first message at or after t, IMU in
        (t - step, t] and the newest command up to t. Rows from before a gap are zero.
        """
        times = self.grid(anchors_ns)
        step_ns = self.config.step_ns
        valid = (times - step_ns >= self._unbroken_since(anchors_ns)[..., None])[..., None]
        with_first = np.concatenate([times[..., :1] - step_ns, times], axis=-1)
        odometry = self._odometry_at(with_first)  # (n, W + 1, 5)
        rows = self._rows(times, odometry[..., :-1, :], odometry[..., 1:, :])
        return np.where(valid, rows, 0.0)

    def rows_at(self, times_ns: Times) -> Array:
        """Return the rows at stamps [ns] (T,) that odometry covers, also a step before: (T, F)."""
        before = self._odometry_at(times_ns - self.config.step_ns)
        return self._rows(times_ns, before, self._odometry_at(times_ns))

    def _rows(self, times_ns: Times, before: Array, odometry: Array) -> Array:
        """Return rows (..., F) from the odometry a step before and at their stamps (..., 5)."""
        moved = se2.log(se2.between(before[..., :3], odometry[..., :3]))
        none = np.zeros((*times_ns.shape, 1))
        return np.concatenate([
            odometry[..., 3:], moved * (1e9 / self.config.step_ns), self._imu_at(times_ns),
            self.commands_at(times_ns), none + 1.0, none, none,
            self._measured(times_ns)[..., None]], axis=-1)

    def _measured(self, times_ns: Times) -> NDArray[np.bool_]:
        """Return whether an odometry message has each of these stamps [ns] (...), nearly."""
        times = self.odometry.times
        after = np.clip(np.searchsorted(times, times_ns), 1, len(times) - 1)
        apart = np.minimum(np.abs(times[after] - times_ns), np.abs(times[after - 1] - times_ns))
        return np.asarray(apart <= NEAR * self.config.step_ns)

    def _unbroken_since(self, anchors_ns: Times) -> Times:
        """Return for each anchor (n,) the stamp [ns] after the last gap before it."""
        times = self.odometry.times
        starts = np.flatnonzero(np.diff(times, prepend=-2**62) > 1e9 * self.config.max_gap)
        newest = np.searchsorted(times, anchors_ns, side='left')
        return np.asarray(times[starts[np.searchsorted(starts, newest, side='right') - 1]])

    def _odometry_at(self, times_ns: Times) -> Array:
        """Return [x, y, yaw, speed, yaw_rate], interpolated: (..., 5)."""
        times, values = self.odometry.times, self.odometry.values
        after = np.clip(np.searchsorted(times, times_ns, side='left'), 1, len(times) - 1)
        before = after - 1
        elapsed = (times[after] - times[before]).astype(float)
        share = np.clip((times_ns - times[before]) / elapsed, 0.0, 1.0)[..., None]
        start, end = values[before], values[after]
        change = end - start
        change[..., 2] = se2.wrap(change[..., 2])
        rate = change[..., 2] * 1e9 / elapsed
        for row in (start, end):
            spike = np.abs(row[..., 4]) > _IMPLAUSIBLE_YAW_RATE
            row[..., 4] = np.where(spike, rate, row[..., 4])
        change[..., 4] = end[..., 4] - start[..., 4]
        return np.asarray(start + share * change)

    def _imu_at(self, times_ns: Times) -> Array:
        """Return [yaw_rate, acceleration, valid] as means over the step that ends: (..., 3)."""
        times, values = self.imu.times, self.imu.values
        result = np.zeros((*times_ns.shape, 3))
        if not len(times):
            return result
        end = np.searchsorted(times, times_ns, side='right')
        begin = np.searchsorted(times, times_ns - self.config.step_ns, side='right')
        newest = np.maximum(end - 1, 0)
        hold_ns = _IMU_HOLD_STEPS * self.config.step_ns
        valid = (end > 0) & (times_ns - times[newest] <= hold_ns)
        begin = np.minimum(begin, newest)
        # Sums of their own for each step: a difference of running sums would keep for ever what
        # one absurd reading costs in digits.
        edges = np.stack([begin, newest + 1], axis=-1).ravel()
        padded = np.concatenate([values, np.zeros((1, 2))])
        sums = np.add.reduceat(padded, edges, axis=0)[::2].reshape(*times_ns.shape, 2)
        mean = sums / (newest + 1 - begin)[..., None]
        result[..., :2] = np.where(valid[..., None], mean, 0.0)
        result[..., 2] = valid
        return result

    def commands_at(self, times_ns: Times) -> Array:
        """Return [speed, yaw_rate, age, valid] of the command in force: (..., 4)."""
        times, values = self.commands.times, self.commands.values
        result = np.zeros((*times_ns.shape, 4))
        if not len(times):
            return result
        newest = np.searchsorted(times, times_ns, side='right') - 1
        age = (times_ns - times[np.maximum(newest, 0)]) * 1e-9
        valid = (newest >= 0) & (age <= self.config.command_memory)
        limit = np.array([self.config.max_speed, self.config.max_yaw_rate])
        command = np.clip(values[np.maximum(newest, 0)], -limit, limit)
        result[..., :2] = np.where(valid[..., None], command, 0.0)
        result[..., 2] = np.where(valid, age, 0.0)
        result[..., 3] = valid
        return result


def scales(window: Array) -> Array:
    """Return the largest [speed [m/s], yaw rate [rad/s]] in a window: (B, 2)."""
    rows = np.concatenate(
        [window[..., columns] for columns in VELOCITIES], axis=1)
    return np.asarray(np.maximum(np.abs(rows).max(axis=1), SLOWEST))
