"""Compares the robot's motion with its commands, for gains and for the detection of overrides."""

from collections import deque

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.common.time_series import TimeSeries
from lstm_predictor.control.gain_estimator import Span
from lstm_predictor.control.override_detection import GuardedGains
from lstm_predictor.control.reference_robot import ReferenceRobot
from lstm_predictor.control.velocity_limiter import clamp

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]

DELAY_STEP_NS = 50_000_000  # between the delays that are tried [ns]
_SPAN_NS = 600_000_000  # over which the motion is compared with the commanded one [ns]
_ENDS = 2  # readings of odometry between which the velocity at the ends of it is taken
_LATENCIES = 20  # newest actuation latencies that are kept
_OVERLAP = 0.1  # longest time that one span may stand for [s]


class ExecutionMonitor:
    """Compares a robot with ideal ones that execute the same commands, each a delay late."""

    def __init__(self, gains: GuardedGains, max_delay: float) -> None:
        """Start empty; the robot's input delay is `max_delay` [s] at most."""
        self.gains = gains
        self.span_ns = round(2e9 * (1.0 + max_delay))  # of the history
        self.odometry = TimeSeries(3, self.span_ns)  # x [m], y [m], yaw [rad]
        self.commanded = ReferenceRobot(self.span_ns)
        self._max_delay_ns = round(1e9 * max_delay)
        self.reset()

    def reset(self) -> None:
        """Forget every reading, latency and gain."""
        self.odometry.clear()
        self.commanded.clear()
        self._latencies_ns: deque[int] = deque(maxlen=_LATENCIES)
        self.forget()

    def restart(self, stamp_ns: int) -> None:
        """Go on at a stamp [ns] after a jump of the clock, with the command in force."""
        self.odometry.clear()
        self.commanded.restart(stamp_ns)
        self.forget()

    def forget(self) -> None:
        """Forget the gains."""
        self.gains.reset()
        self._learned_ns: int | None = None  # stamp of the odometry up to which they are known

    def command(self, stamp_ns: int, speed: float, yaw_rate: float) -> None:
        """Take a command [m/s], [rad/s] that is in force from a stamp [ns] on."""
        if not self.commanded.has_command(np.array([stamp_ns])).any():
            self.commanded.set_command(Command(stamp_ns - self.span_ns // 2, 0.0, 0.0))  # it stood
        self.commanded.set_command(Command(stamp_ns, speed, yaw_rate))

    def add(self, odometry: Odometry) -> None:
        """Take odometry."""
        self.odometry.add(odometry.stamp_ns, odometry[1:4])

    def set_actuation_latency(self, seconds: float) -> None:
        """
        Take the actuation latency [s] that the predictor has found.

        The longest of the last ones counts: to correct a delay is worse than to leave a lag.
        """
        self._latencies_ns.append(round(clamp(1e9 * seconds, 0.0, self._max_delay_ns)))

    @property
    def delays_ns(self) -> Times:
        """The hypotheses of the input delay [ns], (n,)."""
        # A step more, for the prediction was made before the newest command was sent.
        longest = max(self._latencies_ns, default=self._max_delay_ns) + DELAY_STEP_NS
        return np.arange(0, min(longest, self._max_delay_ns) + 1, DELAY_STEP_NS, dtype=np.int64)

    def learn(self) -> None:
        """Compare the motion up to the newest odometry, where there is a new one."""
        times, poses = self.odometry.times, self.odometry.values
        if not len(times) or times[-1] == self._learned_ns:
            return
        first = int(np.searchsorted(times, times[-1] - _SPAN_NS))
        span_ns = int(times[-1] - times[first])
        passed = _OVERLAP if self._learned_ns is None else 1e-9 * (times[-1] - self._learned_ns)
        if first < _ENDS or len(times) - first <= _ENDS or span_ns < _SPAN_NS // 2 \
                or passed <= 0.0:
            return
        starts = np.asarray(times[first] - self.delays_ns)
        starts = starts[self.commanded.has_command(starts)]
        if not len(starts):
            return
        self._learned_ns = int(times[-1])
        commanded = se2.log(self.commanded.motion(starts, starts + span_ns))
        self.gains.take(commanded, Span(
            1e-9 * span_ns, commanded[0], se2.log(se2.between(poses[first], poses[-1])),
            _twist(times, poses, len(times) - 1) - _twist(times, poses, first)),
            min(passed, _OVERLAP))


def _twist(times: Times, poses: Array, at: int) -> Array:
    """Return the speed [m/s] and the yaw rate [rad/s] over the poses before one of them (2,)."""
    seconds = 1e-9 * float(times[at] - times[at - _ENDS])
    return np.asarray(se2.log(se2.between(poses[at - _ENDS], poses[at]))[[0, 2]] / seconds)
