"""Readings in, predictions out, at the rate of the grid: the node without ROS."""

from dataclasses import dataclass

from lstm_predictor.core import baselines
from lstm_predictor.core.artifact import Artifact, Contract, open_commands
from lstm_predictor.core.prediction import in_odometry_frame, Prediction
from lstm_predictor.core.response import rows_between
from lstm_predictor.core.samples import BadMessage, Command, Imu, Odometry
from lstm_predictor.core.supervisor import Supervisor, SupervisorConfig
from lstm_predictor.core.window import FEATURE, FEATURES, Window

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HANDED_TO = ('constant_turn', 'arx_online')  # the predictors that may stand in for the model

# The part of a lag that is waited for as if it were dead time.
_LAG_SHARE = 0.5
_EARLY = 0.25  # part of a step by which a message may come before its step is due
# The model divides by the largest speeds of its window, so a little beyond is no other world.
_BEYOND = 1.5  # times the largest in training [-]
_SPEEDS = [FEATURE[name] for name in ('speed', 'pose_speed', 'command_speed')]
_YAW_RATES = [FEATURE[name] for name in (
    'yaw_rate', 'pose_yaw_rate', 'imu_yaw_rate', 'command_yaw_rate')]


@dataclass(frozen=True)
class PredictorConfig:
    """What the predictor assumes of the robot and of its clocks."""

    # What the robot makes of larger commands: x [m/s], y [m/s], yaw rate [rad/s].
    max_velocity: tuple[float, float, float] = (0.22, 0.0, 2.84)
    use_imu: bool = True  # false: the model is told that there is none
    max_step_back: float = 1.0  # an odometry stamp further back than this is a new start [s]
    handover: bool = True  # false: the model is published however well others do

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if len(self.max_velocity) != 3 or not all(v > 0.0 for v in self.max_velocity[::2]):
            raise ValueError(
                f'max_velocity must be [x, y, yaw rate] with positive x and yaw rate, is '
                f'{list(self.max_velocity)}')
        if not self.max_step_back > 0.0:
            raise ValueError(f'max_step_back must be positive [s], is {self.max_step_back}')


class Predictor:
    """Keeps the window and runs the model, and its stand-ins, once per step of its grid."""

    def __init__(self, artifact: Artifact, config: PredictorConfig,
                 supervised: SupervisorConfig = SupervisorConfig()) -> None:
        """Start with an empty window."""
        self.artifact = artifact
        self.config = config
        speed, _, yaw_rate = config.max_velocity
        contract = artifact.contract
        self.window = Window(contract.window_config(speed, yaw_rate))
        self.supervisor = Supervisor(
            ('lstm', *(HANDED_TO if config.handover else ())), contract.horizon,
            self.window.config.step_ns, supervised)
        step = 1.0 / contract.rate
        self._turn = baselines.constant_turn(contract.classical, step)
        self._adapted = baselines.arx_online(contract.classical, artifact.prior, step)
        self._open = open_commands(1, contract.horizon)
        self._memory = artifact.blank()
        self._learned_ns: int | None = None
        self._due_ns: int | None = None

    def reset(self) -> None:
        """Forget every reading and every error, as after a jump of time."""
        self.window.reset()
        self.supervisor.reset()
        self._adapted.reset()
        self._memory = self.artifact.blank()
        self._learned_ns = None
        self._due_ns = None

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """
        Take a reading; False where it repeats one or has no place in the window.

        The odometry decides what time it is: before its first message nothing else is taken.
        Raise BadMessage for what is from far ahead of it.
        """
        if isinstance(reading, Odometry):
            if self._ahead(reading.stamp_ns) < -self.config.max_step_back:
                self.reset()
            self.supervisor.observe(reading.stamp_ns, np.array(reading[1:4]))
        elif not len(self.window.odometry) or \
                isinstance(reading, Imu) and not self.config.use_imu:
            return False
        elif self._ahead(reading.stamp_ns) > self.config.max_step_back:
            raise BadMessage(
                f'its stamp is {self._ahead(reading.stamp_ns):.1f} s ahead of odom')
        return self.window.add(reading)

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
        self._learn(anchor_ns, rows)
        poses, factors = self.artifact.predict(rows, self._open, self._memory)
        candidates = {'lstm': poses[0], **(self._stand_ins(rows) if self.config.handover else {})}
        unlike = outside(rows[0], self.artifact.contract)
        anchor = self.window.poses(anchors)[0]
        verdict = self.supervisor.judge(anchor_ns, anchor, candidates, factors[0], not unlike)
        return in_odometry_frame(
            anchor_ns, self.window.config.step_ns, anchor, rows[0], verdict.poses,
            verdict.factors, verdict.name, unlike or verdict.reason,
            self._takes_effect(rows))

    def _learn(self, anchor_ns: int, rows: Array) -> None:
        """Add to the memory what the window (1, W, F) has that the last one had not."""
        earlier_ns = self._learned_ns
        before = [] if earlier_ns is None else [earlier_ns]
        new = rows_between(np.array([*before, anchor_ns]), self.window.config.step_ns)[-1]
        learned = self.artifact.learn(rows, int(new), self._memory)
        if np.isfinite(learned).all():
            self._memory = learned
        self._learned_ns = anchor_ns

    def _takes_effect(self, rows: Array) -> float:
        """Return the time [s] until a command given now moves the robot."""
        delay, *lags = self.artifact.timing(rows, self._memory)
        return delay + _LAG_SHARE * float(np.mean(lags))

    def _stand_ins(self, rows: Array) -> dict[str, Array]:
        """Return the paths (H, 3) of the classical predictors from a window (1, W, F)."""
        with np.errstate(all='ignore'):  # absurd odometry shows in the numbers
            turned = self._turn.predict(rows, self._open)[0]
            adapted = self._adapted.predict(rows, self._open)[0]
        if not np.isfinite(adapted).all():
            self._adapted.reset()  # what it has learned is spoiled for good
        return dict(zip(HANDED_TO, (turned, adapted)))

    def _ahead(self, stamp_ns: int) -> float:
        """Return how far [s] a stamp is ahead of the newest odometry, 0 before the first."""
        times = self.window.odometry.times
        return 1e-9 * float(stamp_ns - times[-1]) if len(times) else 0.0


def outside(rows: Array, contract: Contract) -> str:
    """Return in what a window (W, F) is unlike all that the model was trained for, or nothing."""
    largest = np.abs(rows).max(axis=0)
    for columns, limit in ((_SPEEDS, contract.max_speed), (_YAW_RATES, contract.max_yaw_rate)):
        column = columns[int(np.argmax(largest[columns]))]
        if limit > 0.0 and not largest[column] <= _BEYOND * limit:  # 0: nobody knows
            name, unit = FEATURES[column]
            return f'{name.replace("_", " ")} {largest[column]:.2f} {unit}, ' \
                   f'trained up to {limit:.2f} {unit}'
    return ''
