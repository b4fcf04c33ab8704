"""
Protects learned robot parameters while another node overrides the commands.

While an emergency stop, a monitor or a joystick overrides them, the predictor goes on to adapt,
since it has to predict that the robot stands. Once the robot again moves as before, the state from
before the override is restored.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.control.execution_monitor import ExecutionMonitor
from lstm_predictor.control.override_detection import GuardedGains, Override

import numpy as np
from numpy.typing import NDArray

_LAG_SHARE = 0.5  # part of a lag that counts as delay [-]
_MAX_DELAY = 0.6  # from a command to the motion [s]
_TOLERANCE = 2.5  # times the usual deviation of a robot; up to that it is adapted to [-]
_COPY_PERIOD_NS = 500_000_000  # of the learned state
_BEFORE_NS = 1_500_000_000  # that an override was noticed, it had not begun
_NOTICED_NS = 700_000_000  # after it has begun, at most
_STALE_NS = 2_000_000_000  # age of a command that no longer explains the motion


def actuation_latency(delay: float, *lags: float) -> float:
    """Return the time [s] from a command to the motion, by delay and lags of the axes [s]."""
    return delay + _LAG_SHARE * min(lags)


class Learner(Protocol):
    """An online estimator whose state can be saved and restored."""

    def state(self) -> Any:
        """Return a copy of the state."""

    def restore(self, state: Any) -> None:
        """Go on from a saved state."""


class _Known(NamedTuple):
    stamp_ns: int
    states: list[Any]


class OverrideProtection:
    """Detects overrides from the motion, and restores the learners after them."""

    def __init__(self, max_speed: float, max_yaw_rate: float, learners: Sequence[Learner],
                 tolerance: float = _TOLERANCE) -> None:
        """Protect the learners' state, of a robot with these limits [m/s], [rad/s]."""
        self._learners = learners
        self.gains = GuardedGains(max_speed, max_yaw_rate, tolerance)
        self._robot = ExecutionMonitor(self.gains, _MAX_DELAY)
        self.reset()

    def reset(self) -> None:
        """Forget commands, motion and saved states."""
        self._robot.reset()
        self._kept: deque[_Known] = deque()
        self._before: _Known | None = None  # the override in progress
        self._commanded_ns: int | None = None
        self._began_ns: int | None = None  # before which the last override had not begun
        self._over_ns: int | None = None  # and its end

    def of_other_commands(self, stamps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the commands at stamps [ns] (n,) were overridden."""
        if self._began_ns is None:
            return np.zeros(len(stamps_ns), dtype=bool)
        after = stamps_ns >= self._began_ns
        return after if self._over_ns is None else after & (stamps_ns <= self._over_ns)

    def kept_of(self, learner: Learner) -> Any:
        """Return a learner's state before the override in progress; None without one."""
        return None if self._before is None else \
            self._before.states[self._learners.index(learner)]

    def ended_since(self, stamp_ns: int) -> bool:
        """Return whether an override has ended at a stamp [ns] or after it."""
        return self._over_ns is not None and self._over_ns >= stamp_ns

    def overridden_since(self, stamp_ns: int) -> bool:
        """Return whether an override is in progress, or was after a stamp [ns]."""
        return self._before is not None or self.ended_since(stamp_ns)

    def set_actuation_latency(self, seconds: float) -> None:
        """Set the time [s] from a command to the motion."""
        self._robot.set_actuation_latency(seconds)

    def command(self, command: Command) -> None:
        """Take a command as it was published to the robot."""
        self._commanded_ns = command.stamp_ns
        self._robot.command(*command)

    def odometry(self, odometry: Odometry) -> None:
        """Take newer odometry, and restore the learners where an override has ended."""
        self._robot.add(odometry)
        now_ns = odometry.stamp_ns
        if self._commanded_ns is None or now_ns - self._commanded_ns > _STALE_NS:
            self._robot.forget()
            self._before = None
            return
        known = self.gains.known
        self._robot.learn()
        overridden = self.gains.override is not Override.NONE
        if overridden and self._before is None and known:
            self._before = next(
                (kept for kept in reversed(self._kept)
                 if kept.stamp_ns <= now_ns - _BEFORE_NS), None)
            if self._before is not None:
                self._began_ns, self._over_ns = now_ns - _NOTICED_NS, None
        elif not overridden and self._before is not None:
            for learner, state in zip(self._learners, self._before.states):
                learner.restore(state)
            self._before, self._over_ns = None, now_ns
            self._kept.clear()
        if not overridden:
            self._keep(now_ns)

    def _keep(self, now_ns: int) -> None:
        kept = self._kept
        if not kept or now_ns - kept[-1].stamp_ns >= _COPY_PERIOD_NS:
            kept.append(_Known(now_ns, [learner.state() for learner in self._learners]))
        while len(kept) > 1 and kept[1].stamp_ns <= now_ns - _BEFORE_NS:
            kept.popleft()
