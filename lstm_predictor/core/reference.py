"""An ideal robot: it moves exactly as it is asked to, at once or after a dead time."""

from collections import deque

from lstm_predictor.core import se2
from lstm_predictor.core.samples import Command

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]


class IdealRobot:
    """Remembers what was asked and knows the pose of a robot that did it, each command held."""

    def __init__(self, span_ns: int) -> None:
        """Remember the commands of the last `span_ns` [ns]."""
        self._span_ns = span_ns
        self._asked: deque[Command] = deque()

    def __bool__(self) -> bool:
        return bool(self._asked)

    @property
    def newest(self) -> Command:
        """The command in force; there must be one."""
        return self._asked[-1]

    def clear(self) -> None:
        """Forget every command."""
        self._asked.clear()

    def ask(self, command: Command) -> None:
        """Take a command in force from its stamp on; it takes back what was asked for later."""
        while self._asked and command.stamp_ns <= self._asked[-1].stamp_ns:
            self._asked.pop()
        self._asked.append(command)
        # The one that was in force when the span begins is still needed.
        while len(self._asked) > 1 and self._asked[1].stamp_ns < command.stamp_ns - self._span_ns:
            self._asked.popleft()

    def known(self, times_ns: Times) -> NDArray[np.bool_]:
        """Return whether a command was in force at stamps [ns] (n,)."""
        if not self._asked:
            return np.zeros(len(times_ns), dtype=bool)
        return np.asarray(times_ns >= self._asked[0].stamp_ns)

    def moved(self, start_ns: Times, end_ns: Times) -> Array:
        """Return the motion from known stamps to later ones [ns] (n,), in the body: (n, 3)."""
        stamps = np.array([command.stamp_ns for command in self._asked], dtype=np.int64)
        twists = np.array([(command.speed, 0.0, command.yaw_rate) for command in self._asked])
        corners: list[Array] = [np.zeros(3)]
        for step in np.diff(stamps)[:, None] * 1e-9 * twists[:-1]:
            corners.append(se2.compose(corners[-1], se2.exp(step)))
        poses = np.array(corners)  # at each stamp, in the frame of the first

        def at(times_ns: Times) -> Array:
            index = np.searchsorted(stamps, times_ns, side='right') - 1
            seconds = (times_ns - stamps[index])[:, None] * 1e-9
            return se2.compose(poses[index], se2.exp(twists[index] * seconds))
        return se2.between(at(start_ns), at(end_ns))
