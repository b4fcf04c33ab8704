"""The courses of the closed-loop bench: the path, and the stops on the way."""

from dataclasses import dataclass
import math

from lstm_predictor.control.plan import Plan
from lstm_predictor.simulation.closed_paths import figure_of_eight

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """A path from the origin along +x, with stops in regular intervals."""

    plan: Plan
    pause_every: float = 0.0  # time from one stop to the next; 0: none [s]
    pause: float = 0.0  # how long each lasts [s]

    def pauses(self, time: float) -> bool:
        """Return whether the robot has to stand at a time [s]."""
        return self.pause_every > 0.0 and \
            time % self.pause_every > self.pause_every - self.pause


def _along(points: Array) -> Plan:
    """Return the path through points (n, 2), each with its heading to the next."""
    ahead = np.diff(points, axis=0, append=2.0 * points[-1:] - points[-2:-1])
    return Plan(np.column_stack([points, np.arctan2(ahead[:, 1], ahead[:, 0])]))


def _wave(length: float, height: float, period: float) -> Array:
    x = np.linspace(0.0, length, 401)
    # It begins along +x: the wave rises over the first quarter.
    grown = np.minimum(1.0, 4.0 * x / period) ** 2
    return np.column_stack([x, height * grown * np.sin(math.tau * x / period)])


def _change(length: float, aside: float, begin: float, over: float) -> Array:
    """Return a straight line with a lane change to the left and back: (n, 2) [m]."""
    x = np.linspace(0.0, length, 401)

    def step(start: float) -> Array:
        share = np.clip((x - start) / over, 0.0, 1.0)
        return share * share * (3.0 - 2.0 * share)

    return np.column_stack([x, aside * (step(begin) - step(begin + 2.0 * over))])


def _square(side: float) -> Array:
    corners = side * np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0.1]])
    return np.concatenate([np.linspace(a, b, 40, endpoint=False)
                           for a, b in zip(corners, corners[1:])] + [corners[-1:]])


COURSES = {
    'figure_of_eight': Course(_along(np.concatenate(
        [figure_of_eight(3.6), [[0.0, 0.0]]]))),
    'slalom': Course(_along(_wave(3.0, 0.12, 1.2))),
    'square': Course(_along(_square(0.8))),
    'lane_change': Course(_along(_change(3.0, 0.25, 0.6, 0.6))),
    'stop_and_go': Course(_along(_wave(2.4, 0.10, 1.6)), pause_every=4.0, pause=1.2),
    'slip_patch': Course(_along(np.column_stack([np.linspace(0.0, 3.0, 61), np.zeros(61)]))),
}
