"""An ideal robot: it moves exactly as it is asked to, at once or after a dead time."""

from lstm_predictor.core import se2
from lstm_predictor.core.samples import Command
from lstm_predictor.core.stream import Stream

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]


class IdealRobot:
    """Remembers what was asked and knows the pose of a robot that did it, each command held."""

    def __init__(self, span_ns: int) -> None:
        """Remember the commands of the last `span_ns` [ns]."""
        # The command, and the pose at its stamp in a frame that never matters.
        self._asked = Stream(5, span_ns)

    @property
    def newest(self) -> tuple[float, float]:
        """Speed [m/s] and yaw rate [rad/s] in force; zero where nothing was asked."""
        if not len(self._asked):
            return 0.0, 0.0
        speed, yaw_rate = self._asked.values[-1, :2].tolist()
        return speed, yaw_rate

    def clear(self) -> None:
        """Forget every command."""
        self._asked.clear()

    def restart(self, stamp_ns: int) -> None:
        """Forget the past; what is asked for now was asked at this stamp [ns]."""
        speed, yaw_rate = self.newest
        self._asked.clear()
        self.ask(Command(stamp_ns, speed, yaw_rate))

    def ask(self, command: Command) -> None:
        """Take a command in force from its stamp on; it takes back what was asked for later."""
        self._asked.drop_from(command.stamp_ns)
        corner = np.zeros(3)
        if len(self._asked):
            corner = self._at(np.array([command.stamp_ns]))[0]
        self._asked.add(command.stamp_ns, (command.speed, command.yaw_rate, *corner.tolist()))

    def known(self, times_ns: Times) -> NDArray[np.bool_]:
        """Return whether a command was in force at stamps [ns] (n,)."""
        times = self._asked.times
        return np.asarray(times_ns >= times[0]) if len(times) else np.zeros(len(times_ns), bool)

    def moved(self, start_ns: Times, end_ns: Times) -> Array:
        """Return the motion from known stamps to later ones [ns] (n,), in the body: (n, 3)."""
        return se2.between(self._at(start_ns), self._at(end_ns))

    def _at(self, times_ns: Times) -> Array:
        stamps, rows = self._asked.times, self._asked.values
        index = np.searchsorted(stamps, times_ns, side='right') - 1
        seconds = (times_ns - stamps[index]) * 1e-9
        motion = np.zeros((len(seconds), 3))
        motion[:, 0], motion[:, 2] = rows[index, 0] * seconds, rows[index, 1] * seconds
        return se2.compose(rows[index, 2:], se2.exp(motion))
