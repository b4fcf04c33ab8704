"""What is known of a robot: its window of readings and the memory of how it obeys."""

from lstm_predictor.core.artifact import Artifact
from lstm_predictor.core.response import rows_between
from lstm_predictor.core.samples import BadMessage, Command, Imu, Odometry
from lstm_predictor.core.window import Window, WindowConfig

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EARLY = 0.25  # part of a step by which a message may come before its step is due


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

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """
        Take a reading; False where it repeats one or has no place in the window.

        The odometry decides what time it is: before its first message nothing else is taken.
        Raise BadMessage for what is from far ahead of it.
        """
        if not isinstance(reading, Odometry):
            if not len(self.window.odometry) or isinstance(reading, Imu) and not self.use_imu:
                return False
            if self.ahead(reading.stamp_ns) > self.max_step_back:
                raise BadMessage(
                    f'its stamp is {self.ahead(reading.stamp_ns):.1f} s ahead of odom')
        return self.window.add(reading)

    def restarts(self, odometry: Odometry) -> bool:
        """Return whether an odometry stamp is so far back that time began anew."""
        return self.ahead(odometry.stamp_ns) < -self.max_step_back

    def ahead(self, stamp_ns: int) -> float:
        """Return how far [s] a stamp is ahead of the newest odometry, 0 before the first."""
        times = self.window.odometry.times
        return 1e-9 * float(stamp_ns - times[-1]) if len(times) else 0.0

    def ready(self) -> bool:
        """Return whether odometry fills the window without a gap."""
        times = self.window.odometry.times
        return len(times) > 1 and bool(self.window.covered(times[-1:])[0])

    def due(self) -> int | None:
        """Return the stamp [ns] of the newest odometry where a step of the grid is due."""
        if not self.ready():
            return None
        anchor_ns = int(self.window.odometry.times[-1])
        step_ns = self.window.config.step_ns
        due_ns = anchor_ns if self._due_ns is None else self._due_ns
        if anchor_ns < due_ns - _EARLY * step_ns:
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
