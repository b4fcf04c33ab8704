"""Ideal robot that executes every command exactly, at once or after an input delay."""

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command
from lstm_predictor.common.time_series import TimeSeries

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]


class ReferenceRobot:
    """Keeps the commands and the poses of a robot that executes them, each held till the next."""

    def __init__(self, span_ns: int) -> None:
        """Keep the commands of the last `span_ns` [ns]."""
        # The command, and the pose at its stamp, in an arbitrary frame.
        self._commands = TimeSeries(5, span_ns)

    @property
    def newest(self) -> tuple[float, float]:
        """Speed [m/s] and yaw rate [rad/s] in force; zero before the first command."""
        if not len(self._commands):
            return 0.0, 0.0
        speed, yaw_rate = self._commands.values[-1, :2].tolist()
        return speed, yaw_rate

    def clear(self) -> None:
        """Forget every command."""
        self._commands.clear()

    def restart(self, stamp_ns: int) -> None:
        """Forget the past; the command in force begins at this stamp [ns]."""
        speed, yaw_rate = self.newest
        self._commands.clear()
        self.set_command(Command(stamp_ns, speed, yaw_rate))

    def set_command(self, command: Command) -> None:
        """Take a command in force from its stamp on; it replaces those of later stamps."""
        self._commands.drop_from(command.stamp_ns)
        corner = np.zeros(3)
        if len(self._commands):
            corner = self._at(np.array([command.stamp_ns]))[0]
        self._commands.add(command.stamp_ns, (command.speed, command.yaw_rate, *corner.tolist()))

    def has_command(self, times_ns: Times) -> NDArray[np.bool_]:
        """Return whether a command was in force at stamps [ns] (n,)."""
        times = self._commands.times
        return np.asarray(times_ns >= times[0]) if len(times) else np.zeros(len(times_ns), bool)

    def motion(self, start_ns: Times, end_ns: Times) -> Array:
        """Return the motion between stamps [ns] (n,), body frame of the first: (n, 3)."""
        return se2.between(self._at(start_ns), self._at(end_ns))

    def _at(self, times_ns: Times) -> Array:
        stamps, rows = self._commands.times, self._commands.values
        index = np.searchsorted(stamps, times_ns, side='right') - 1
        seconds = (times_ns - stamps[index]) * 1e-9
        motion = np.zeros((len(seconds), 3))
        motion[:, 0], motion[:, 2] = rows[index, 0] * seconds, rows[index, 1] * seconds
        return se2.compose(rows[index, 2:], se2.exp(motion))
