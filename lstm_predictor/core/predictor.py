"""Readings in, predictions out, at the rate of the grid: the node without ROS."""

from dataclasses import dataclass

from lstm_predictor.core.artifact import Artifact, open_commands
from lstm_predictor.core.prediction import in_odometry_frame, Prediction
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.core.window import Window

import numpy as np

_EARLY = 0.25  # part of a step by which a message may come before its step is due


@dataclass(frozen=True)
class PredictorConfig:
    """What the predictor assumes of the robot and of its clocks."""

    # What the robot makes of larger commands: x [m/s], y [m/s], yaw rate [rad/s].
    max_velocity: tuple[float, float, float] = (0.22, 0.0, 2.84)
    use_imu: bool = True  # false: the model is told that there is none
    max_step_back: float = 1.0  # an odometry stamp further back than this is a new start [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if len(self.max_velocity) != 3 or not all(v > 0.0 for v in self.max_velocity[::2]):
            raise ValueError(
                f'max_velocity must be [x, y, yaw rate] with positive x and yaw rate, is '
                f'{list(self.max_velocity)}')
        if not self.max_step_back > 0.0:
            raise ValueError(f'max_step_back must be positive [s], is {self.max_step_back}')


class Predictor:
    """Keeps the window and runs the model once per step of its grid."""

    def __init__(self, artifact: Artifact, config: PredictorConfig) -> None:
        """Start with an empty window."""
        self.artifact = artifact
        self.config = config
        speed, _, yaw_rate = config.max_velocity
        self.window = Window(artifact.contract.window_config(speed, yaw_rate))
        self._open = open_commands(1, artifact.contract.horizon)
        self._due_ns: int | None = None

    def reset(self) -> None:
        """Forget every reading, as after a jump of time."""
        self.window.reset()
        self._due_ns = None

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """
        Take a reading; False where it repeats one or has no place in the window.

        The odometry decides what time it is: before its first message nothing else is taken,
        and nothing from far ahead of it.
        """
        if isinstance(reading, Imu) and not self.config.use_imu:
            return False
        if isinstance(reading, Odometry) and self._jumped_back(reading.stamp_ns):
            self.reset()
        if not isinstance(reading, Odometry):
            ahead = self.ahead(reading)
            if ahead is None or ahead > self.config.max_step_back:
                return False
        return self.window.add(reading)

    def ahead(self, reading: Odometry | Imu | Command) -> float | None:
        """Return how far [s] a reading is ahead of the newest odometry, None before the first."""
        times = self.window.odometry.times
        return 1e-9 * float(reading.stamp_ns - times[-1]) if len(times) else None

    def predict_if_due(self) -> Prediction | None:
        """Return a prediction from the newest odometry where a step is due and the window full."""
        if not self.ready():
            return None
        anchor_ns = int(self.window.odometry.times[-1])
        step_ns = self.window.config.step_ns
        due_ns = anchor_ns if self._due_ns is None else self._due_ns
        if anchor_ns < due_ns - _EARLY * step_ns:
            return None
        # A step later than that has been missed; the next ones are counted from here.
        self._due_ns = (due_ns if anchor_ns <= due_ns + step_ns else anchor_ns) + step_ns
        return self.predict(anchor_ns)

    def ready(self) -> bool:
        """Return whether odometry fills the window without a gap."""
        times = self.window.odometry.times
        return len(times) > 1 and bool(self.window.covered(times[-1:])[0])

    def predict(self, anchor_ns: int) -> Prediction:
        """Return the prediction from the window that ends at a covered stamp [ns]."""
        anchors = np.array([anchor_ns], dtype=np.int64)
        rows = self.window.rows(anchors)
        poses, factors = self.artifact.predict(rows, self._open)
        return in_odometry_frame(
            anchor_ns, self.window.config.step_ns, self.window.poses(anchors)[0], rows[0],
            poses[0], factors[0])

    def _jumped_back(self, stamp_ns: int) -> bool:
        times = self.window.odometry.times
        return len(times) > 0 and stamp_ns < times[-1] - 1e9 * self.config.max_step_back
