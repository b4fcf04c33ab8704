"""What is known of a robot: its window of readings and the memory of how it obeys."""

from dataclasses import replace
import math

from lstm_predictor.core.artifact import Artifact
from lstm_predictor.core.response import rows_between
from lstm_predictor.core.samples import BadMessage, Command, Imu, Odometry
from lstm_predictor.core.window import Window, WindowConfig

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EARLY = 0.25  # part of a step by which a message may come before its step is due
_ABSURD = 20.0  # times the robot's largest velocity: no wheel turns so fast
_LEAP = 0.3  # of a pose, beside what such a velocity explains [m]


class Observer:
    """Takes readings and says when there is something new to predict from."""

    def __init__(self, artifact: Artifact, window: WindowConfig, use_imu: bool,
                 max_step_back: float) -> None:
        """Know nothing; an odometry stamp `max_step_back` [s] back is a new start."""
        self.artifact = artifact
        self.window = Window(window)
        self.use_imu = use_imu
        self.max_step_back = max_step_back
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a jump of time."""
        self.window.reset()
        self.memory = self.artifact.blank()  # (1, 2, M, 4)
        self.rows: Array | None = None  # the newest window that was looked at (1, W, F)
        self._learned_ns: int | None = None
        self._due_ns: int | None = None

    def limit(self, max_speed: float, max_yaw_rate: float) -> None:
        """Take what the robot makes of larger commands [m/s], [rad/s]."""
        self.window.config = replace(
            self.window.config, max_speed=max_speed, max_yaw_rate=max_yaw_rate)

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """
        Take a reading; False where it repeats one or has no place in the window.

        The odometry decides what time it is: before its first message nothing else is taken.
        Raise BadMessage for what is from far ahead of it, and for odometry of a velocity that no
        robot has.
        """
        if isinstance(reading, Odometry):
            self.check(reading)
        else:
            if not len(self.window.odometry) or isinstance(reading, Imu) and not self.use_imu:
                return False
            if self.ahead(reading.stamp_ns) > self.max_step_back:
                raise BadMessage(
                    f'its stamp is {self.ahead(reading.stamp_ns):.1f} s ahead of odom')
        return self.window.add(reading)

    def check(self, odometry: Odometry) -> None:
        """Raise BadMessage for a velocity that no robot has."""
        config = self.window.config
        for name, value, largest, unit in (
                ('speed', odometry.speed, config.max_speed, 'm/s'),
                ('yaw_rate', odometry.yaw_rate, config.max_yaw_rate, 'rad/s')):
            if abs(value) > _ABSURD * largest:
                raise BadMessage(f'{name} is {value:.4g} {unit}, the largest of the robot is '
                                 f'{largest:g} {unit}')

    def restarts(self, odometry: Odometry) -> str:
        """Return why odometry cannot go on from the one before, or nothing where it does."""
        ahead = self.ahead(odometry.stamp_ns)
        if ahead < -self.max_step_back:
            return f'its stamp is {-ahead:.1f} s before the one before'
        poses = self.window.odometry.values
        if not len(poses):
            return ''
        moved = math.hypot(odometry.x - poses[-1, 0], odometry.y - poses[-1, 1])
        if moved > _ABSURD * self.window.config.max_speed * abs(ahead) + _LEAP:
            return f'its pose is {moved:.3g} m from the one before'
        return ''

    def ahead(self, stamp_ns: int) -> float:
        """Return how far [s] a stamp is ahead of the newest odometry, 0 before the first."""
        times = self.window.odometry.times
        return 1e-9 * float(stamp_ns - times[-1]) if len(times) else 0.0

    def since_look(self, stamp_ns: int) -> float:
        """Return how far [s] a stamp is after the end of the newest window that was looked at."""
        return 0.0 if self._learned_ns is None else 1e-9 * (stamp_ns - self._learned_ns)

    def sent(self, count: int) -> Array:
        """Return the commands in force at so many steps from that end on (count, 2)."""
        if self._learned_ns is None:
            return np.zeros((count, 2))
        steps = np.arange(count, dtype=np.int64) * self.window.config.step_ns
        return self.window.commands_at(self._learned_ns + steps)[:, :2]

    def ready(self) -> bool:
        """Return whether odometry fills the window without a gap."""
        times = self.window.odometry.times
        return len(times) > 1 and bool(self.window.covered(times[-1:])[0])

    def due(self) -> int | None:
        """Return the stamp [ns] of the newest odometry, unseen so far, where a step is due."""
        if not self.ready():
            return None
        anchor_ns = int(self.window.odometry.times[-1])
        step_ns = self.window.config.step_ns
        due_ns = anchor_ns if self._due_ns is None else self._due_ns
        # An older message that comes late leaves the newest one what it was.
        if anchor_ns == self._learned_ns or anchor_ns < due_ns - _EARLY * step_ns:
            return None
        # A step later than that has been missed; the next ones are counted from here.
        self._due_ns = (due_ns if anchor_ns <= due_ns + step_ns else anchor_ns) + step_ns
        return anchor_ns

    def look(self, anchor_ns: int) -> Array:
        """Return the window (1, W, F) that ends at a covered stamp [ns], and learn from it."""
        rows = self.rows = self.window.rows(np.array([anchor_ns], dtype=np.int64))
        before = [] if self._learned_ns is None else [self._learned_ns]
        new = rows_between(
            np.array([*before, anchor_ns], dtype=np.int64), self.window.config.step_ns)[-1]
        learned = self.artifact.learn(rows, int(new), self.memory)
        if np.isfinite(learned).all():
            self.memory = learned
        self._learned_ns = anchor_ns
        return rows
