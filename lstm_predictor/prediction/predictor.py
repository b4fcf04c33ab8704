"""The predictor without ROS: readings in, one prediction per step of the sampling grid out."""

from dataclasses import dataclass
import math

from lstm_predictor.baselines import registry
from lstm_predictor.common.checks import require_positive
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.model.contract import Contract
from lstm_predictor.model.model_file import LoadedModel, open_commands
from lstm_predictor.model.window import FEATURE, FEATURES
from lstm_predictor.prediction.mixture import MixtureConfig, PredictorMixture
from lstm_predictor.prediction.observer import Observer
from lstm_predictor.prediction.override_protection import actuation_latency, OverrideProtection
from lstm_predictor.prediction.trajectory import in_odometry_frame, PredictedTrajectory

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FALLBACK_PREDICTORS = ('constant_turn', 'arx_online')  # mixed with the model's prediction

# The model divides by the largest speeds of its window, so a little beyond is no other world.
_BEYOND = 1.5  # times the largest in training [-]
_SPEEDS = [FEATURE[name] for name in ('speed', 'pose_speed', 'command_speed')]
_YAW_RATES = [FEATURE[name] for name in (
    'yaw_rate', 'pose_yaw_rate', 'imu_yaw_rate', 'command_yaw_rate')]


@dataclass(frozen=True)
class PredictorConfig:
    """Limits and clock of the robot, and what is published."""

    # What the robot makes of larger commands: x [m/s], y [m/s], yaw rate [rad/s].
    max_velocity: tuple[float, float, float] = (0.22, 0.0, 2.84)
    use_imu: bool = True  # false: the model is told that there is none
    max_backward_time_jump: float = 1.0  # of an odometry stamp; beyond, a new run begins [s]
    use_fallback_predictors: bool = True  # false: only the model's prediction is published

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if len(self.max_velocity) != 3 or not all(v > 0.0 for v in self.max_velocity[::2]):
            raise ValueError(
                f'max_velocity must be [x, y, yaw rate] with positive x and yaw rate, is '
                f'{list(self.max_velocity)}')
        require_positive(self, 'max_backward_time_jump', finite=False)


class Predictor:
    """Runs the model and the fallback predictors once per grid step and mixes their paths."""

    def __init__(self, model: LoadedModel, config: PredictorConfig,
                 mixture: MixtureConfig = MixtureConfig()) -> None:
        """Start with an empty window; raise ModelFileError where a fallback does not run."""
        registry.check(model)
        self.model = model
        self.config = config
        speed, _, yaw_rate = config.max_velocity
        contract = model.contract
        self.observer = Observer(model, contract.window_config(speed, yaw_rate),
                                 config.use_imu, config.max_backward_time_jump)
        self.window = self.observer.window
        self.ready = self.observer.ready
        fallbacks = FALLBACK_PREDICTORS if config.use_fallback_predictors else ()
        self.mixture = PredictorMixture(
            ('lstm', *fallbacks), contract.horizon, self.window.config.step_ns, mixture)
        step = 1.0 / contract.rate
        self._turn = registry.constant_turn(contract.classical, step)
        self._adapted = registry.arx_online(contract.classical, model.prior, step)
        self._open = open_commands(1, contract.horizon)
        self._latency = _LastLatency()
        self._protection = OverrideProtection(
            speed, yaw_rate, (self.observer, self.mixture, self._adapted, self._latency))
        # What a window and its outcome span, of which none may be of a robot that was held back.
        self._spanned_ns = (contract.horizon + model.prior.rows) * self.window.config.step_ns
        self._restart_reason = ''

    def reset(self) -> None:
        """Forget every reading, every score and what the sensors are like."""
        self.observer.sensors.reset()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget every reading and every score, but not what the sensors are like."""
        self.observer.reset()
        self._forget_errors()

    def _forget_errors(self) -> None:
        self.mixture.reset()
        self._adapted.reset()
        self._protection.reset()

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """Take a reading, as `Observer.add`, and score what was predicted for its time."""
        wrong = self.observer.sensors.known.wrong
        used = self.observer.sensed(reading)
        if used is None:
            return False
        if self.observer.sensors.known.wrong != wrong:
            self._forget_errors()  # they are of uncorrected velocities
        if isinstance(used, Odometry):
            self.observer.check(used)
            reason = self.observer.discontinuity(used)
            if reason:
                self.begin_anew()
                self._restart_reason = reason
            self.mixture.observe(used.stamp_ns, np.array(used[1:4]))
            taken = self.observer.insert(used)
            if taken:
                self._protection.odometry(used)
            return taken
        taken = self.observer.add(used)
        if taken and isinstance(used, Command):
            self._protection.command(used)
        return taken

    def findings(self) -> dict[str, str]:
        """Return what is wrong with the sensors and what is done, by input and field."""
        return self.observer.sensors.findings()

    def pop_restart_reason(self) -> str:
        """Return why the predictor was reset since the last call; empty where it was not."""
        reason, self._restart_reason = self._restart_reason, ''
        return reason

    def predict_if_due(self) -> PredictedTrajectory | None:
        """Return a prediction from the newest odometry where a step is due and the window full."""
        anchor_ns = self.observer.due()
        return None if anchor_ns is None else self.predict(anchor_ns)

    def predict(self, anchor_ns: int) -> PredictedTrajectory:
        """Return the prediction from the window that ends at a covered stamp [ns]."""
        rows = self.observer.update(anchor_ns)
        step = self.observer.output
        assert step is not None
        candidates = {'lstm': step.poses}
        if self.config.use_fallback_predictors:
            candidates |= self._fallbacks(rows, anchor_ns)
        unlike = out_of_distribution(rows[0], self.model.contract)
        anchor = self.window.poses(np.array([anchor_ns], dtype=np.int64))[0]
        output = self.mixture.combine(anchor_ns, anchor, candidates, step.factors, not unlike)
        return in_odometry_frame(
            anchor_ns, self.window.config.step_ns, anchor, rows[0], output.poses,
            output.factors, output.name, unlike or output.reason,
            self._actuation_latency(step.timing, anchor_ns))

    def _actuation_latency(self, timing: tuple[float, float, float], anchor_ns: int) -> float:
        """Return the time [s] from a command given now to the motion that it causes."""
        found = actuation_latency(*timing)
        if not math.isfinite(found):  # a window of absurd readings says nothing
            return 0.0
        # Neither do commands that did not reach the robot.
        if not self._protection.overridden_since(anchor_ns - self._spanned_ns):
            self._latency.restore(found)
        kept = self._protection.kept_of(self._latency)
        effect = self._latency.state() if kept is None else float(kept)
        self._protection.set_actuation_latency(effect)
        return effect

    def _fallbacks(self, rows: Array, anchor_ns: int) -> dict[str, Array]:
        """Return the paths (H, 3) of the classical predictors from a window (1, W, F)."""
        # A training pair spans the window and its outcome.
        learns = not self._protection.ended_since(anchor_ns - self._spanned_ns)
        with np.errstate(all='ignore'):  # absurd odometry shows in the numbers
            turned = self._turn.predict(rows, self._open)[0]
            adapted = self._adapted.predict(rows, self._open, learns)[0]
        if not np.isfinite(adapted).all():
            self._adapted.reset()  # weights that are not finite never recover
        return dict(zip(FALLBACK_PREDICTORS, (turned, adapted)))


class _LastLatency:
    """The actuation latency [s] while commands reached the robot."""

    def __init__(self) -> None:
        self._seconds = 0.0  # [s]

    def state(self) -> float:
        return self._seconds

    def restore(self, seconds: float) -> None:
        self._seconds = seconds


def out_of_distribution(rows: Array, contract: Contract) -> str:
    """Return which feature of a window (W, F) lies beyond the training data; empty for none."""
    largest = np.abs(rows).max(axis=0)
    for columns, limit in ((_SPEEDS, contract.max_speed), (_YAW_RATES, contract.max_yaw_rate)):
        column = columns[int(np.argmax(largest[columns]))]
        if limit > 0.0 and not largest[column] <= _BEYOND * limit:  # 0: unknown
            name, unit = FEATURES[column]
            return f'{name.replace("_", " ")} {largest[column]:.2f} {unit}, ' \
                   f'trained up to {limit:.2f} {unit}'
    return ''
