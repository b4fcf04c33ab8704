"""
Rollouts of candidate commands by the model, for MPPI.

While the robot's commands are overridden, the rollout is that of the robot as it was before:
motion under other commands must not be taken for a changed response.
"""

from lstm_predictor.control.mppi import kinematic, Rollout
from lstm_predictor.model.model_file import LoadedModel, open_commands
from lstm_predictor.model.window import FEATURE
from lstm_predictor.prediction.observer import Observer
from lstm_predictor.prediction.override_protection import actuation_latency, OverrideProtection

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_COMMAND = [FEATURE['command_speed'], FEATURE['command_yaw_rate']]
_MAX_STEPS_LATE = 10  # that the computation of a plan may take
_MOTION = [FEATURE['pose_speed'], FEATURE['pose_yaw_rate']]


def learned(model: LoadedModel, window: Array, memory: Array, sent: Array = np.zeros((0, 2))
            ) -> Rollout:
    """
    Return the rollout by the model, from a robot's window (1, W, F) and memory.

    `sent` (K, 2) was commanded for the first steps; the candidates come after it.
    """
    def rollout(commands: Array) -> tuple[Array, Array]:
        count, steps = commands.shape[:2]
        begun = np.broadcast_to(sent, (count, *sent.shape))
        given = open_commands(count, model.contract.horizon)
        given[:, :steps, :2] = np.concatenate([begun, commands], axis=1)[:, :steps]
        given[:, :steps, 2] = 1.0
        poses, factors = model.predict(
            np.repeat(window, count, axis=0), given, np.repeat(memory, count, axis=0))
        spread = np.sqrt(np.sum(factors[:, :steps, :2] ** 2, axis=(-1, -2)))
        return poses[:, :steps], spread
    return rollout


def rollout_of(observer: Observer, step: float, late: float = 0.0) -> Rollout:
    """
    Return the rollout of an observed robot; without a window yet it is kinematic.

    The first command can be given so late [s] after the window's end.
    """
    if observer.rows is None or not observer.ready():
        return kinematic(step)
    return rollout_from(observer, observer.rows, observer.model_state, step, late)


def rollout_from(observer: Observer, rows: Array, memory: Array, step: float, late: float
                 ) -> Rollout:
    """Return the rollout of an observed robot by another window (1, W, F) and memory."""
    passed = min(max(0, round(late / step)), _MAX_STEPS_LATE)
    return learned(observer.model, rows, memory, observer.commands_sent(passed))


class ProtectedRollout:
    """Rollout of a robot with the response that it had before an override."""

    def __init__(self, observer: Observer, max_speed: float, max_yaw_rate: float,
                 tolerance: float) -> None:
        """Watch a robot of these largest velocities [m/s], [rad/s]."""
        self.protection = OverrideProtection(max_speed, max_yaw_rate, (observer,), tolerance)
        self._observer = observer
        self._delay = 0.0  # from a command to the motion, before any override [s]

    def reset(self) -> None:
        """Forget delay and overrides."""
        self.protection.reset()
        self._delay = 0.0

    def rollout(self, step: float, late: float) -> Rollout:
        """Return the rollout; the first command can be given so late [s] after the window."""
        observer = self._observer
        end_ns = observer.window_end_ns
        if observer.output is None or end_ns is None or not observer.ready():
            return rollout_of(observer, step, late)
        config = observer.window.config
        if not self.protection.overridden_since(end_ns - config.length * config.step_ns):
            self._delay, *lags = observer.output.timing
            self.protection.set_actuation_latency(actuation_latency(self._delay, *lags))
            return rollout_of(observer, step, late)
        assert observer.rows is not None
        stamps = observer.window.grid(np.array([end_ns], dtype=np.int64))[0]
        rows = explained(observer.rows, self.protection.of_other_commands(stamps),
                         round(self._delay / step))
        before = self.protection.kept_of(observer)
        return rollout_from(
            observer, rows, observer.model_state if before is None else before, step, late)


def explained(rows: Array, replaced: NDArray[np.bool_], delay: int) -> Array:
    """
    Return windows (1, W, F) in which commands that were `replaced` (W,) are the motion they gave.

    The motion follows a command `delay` rows later.
    """
    result = rows.copy()
    count = rows.shape[1]
    later = np.minimum(np.arange(count) + 1 + delay, count - 1)
    result[0, replaced, _COMMAND[0]:_COMMAND[-1] + 1] = rows[0, later][:, _MOTION][replaced]
    result[0, replaced, FEATURE['command_valid']] = 1.0
    return result
