"""Readings in, predictions out, at the rate of the grid: the node without ROS."""

from dataclasses import dataclass
import math

from lstm_predictor.core import baselines
from lstm_predictor.core.artifact import Artifact, open_commands
from lstm_predictor.core.contract import Contract
from lstm_predictor.core.observer import Observer
from lstm_predictor.core.prediction import in_odometry_frame, Prediction
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.core.supervisor import Supervisor, SupervisorConfig
from lstm_predictor.core.window import FEATURE, FEATURES

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HANDED_TO = ('constant_turn', 'arx_online')  # the predictors that may stand in for the model

# The part of a lag that is waited for as if it were dead time.
_LAG_SHARE = 0.5
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
        self.observer = Observer(artifact, contract.window_config(speed, yaw_rate),
                                 config.use_imu, config.max_step_back)
        self.window = self.observer.window
        self.ready = self.observer.ready
        self.supervisor = Supervisor(
            ('lstm', *(HANDED_TO if config.handover else ())), contract.horizon,
            self.window.config.step_ns, supervised)
        step = 1.0 / contract.rate
        self._turn = baselines.constant_turn(contract.classical, step)
        self._adapted = baselines.arx_online(contract.classical, artifact.prior, step)
        self._open = open_commands(1, contract.horizon)
        self._anew = ''

    def reset(self) -> None:
        """Forget every reading and every error, as after a jump of time."""
        self.observer.reset()
        self.supervisor.reset()
        self._adapted.reset()

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """Take a reading, as `Observer.add`, and score what was predicted for its time."""
        if isinstance(reading, Odometry):
            self.observer.check(reading)
            restart = self.observer.restarts(reading)
            if restart:
                self.reset()
                self._anew = restart
            self.supervisor.observe(reading.stamp_ns, np.array(reading[1:4]))
        return self.observer.add(reading)

    def why_anew(self) -> str:
        """Return why everything was forgotten since this was last asked, or nothing."""
        why, self._anew = self._anew, ''
        return why

    def predict_if_due(self) -> Prediction | None:
        """Return a prediction from the newest odometry where a step is due and the window full."""
        anchor_ns = self.observer.due()
        return None if anchor_ns is None else self.predict(anchor_ns)

    def predict(self, anchor_ns: int) -> Prediction:
        """Return the prediction from the window that ends at a covered stamp [ns]."""
        rows = self.observer.look(anchor_ns)
        poses, factors = self.artifact.predict(rows, self._open, self.observer.memory)
        candidates = {'lstm': poses[0], **(self._stand_ins(rows) if self.config.handover else {})}
        unlike = outside(rows[0], self.artifact.contract)
        anchor = self.window.poses(np.array([anchor_ns], dtype=np.int64))[0]
        verdict = self.supervisor.judge(anchor_ns, anchor, candidates, factors[0], not unlike)
        return in_odometry_frame(
            anchor_ns, self.window.config.step_ns, anchor, rows[0], verdict.poses,
            verdict.factors, verdict.name, unlike or verdict.reason,
            self._takes_effect(rows))

    def _takes_effect(self, rows: Array) -> float:
        """Return the time [s] until a command given now moves the robot."""
        delay, *lags = self.artifact.timing(rows, self.observer.memory)
        found = delay + _LAG_SHARE * min(lags)
        return found if math.isfinite(found) else 0.0  # a window of absurd readings says nothing

    def _stand_ins(self, rows: Array) -> dict[str, Array]:
        """Return the paths (H, 3) of the classical predictors from a window (1, W, F)."""
        with np.errstate(all='ignore'):  # absurd odometry shows in the numbers
            turned = self._turn.predict(rows, self._open)[0]
            adapted = self._adapted.predict(rows, self._open)[0]
        if not np.isfinite(adapted).all():
            self._adapted.reset()  # what it has learned is spoiled for good
        return dict(zip(HANDED_TO, (turned, adapted)))


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
