"""
Online estimation of the robot's velocity gains, lags and pull to one side.

Recursive least squares with forgetting, per axis: the motion over the commanded motion and over
the change of the velocity. A first-order lag of time constant T has
`T dv/dt + v = gain * u`, so that over a span the way is `gain * commanded way - T * change of v`:
a lag is not taken for a weak motor (Ljung, "System Identification", 2nd ed., section 11.2, for
the recursion). The turn depends on the commanded way as well, so that a pull to one side is told
from a weak turn. Only motion counts as evidence and only motion makes older evidence fade.
"""

import copy
from typing import NamedTuple

from lstm_predictor.control.velocity_limiter import clamp

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# What the assumption of a perfect robot weighs, as motion that is commanded: ahead, turn, pull.
_TRUST = (0.06, 0.3, 0.2)  # [m], [rad], [m]
_LAG_TRUST = (0.012, 0.15)  # and that of no lag, as changes of the velocity [m/s], [rad/s]
_FADES = (3.0, 16.0)  # motion after which evidence counts for 37 % [m], [rad]
_MAX_LAG = 4.0  # time constant of a robot that is driven at all [s]
# Plausible gains; beyond, there is another cause.
MIN_GAIN, MAX_GAIN = 0.5, 2.0  # [-]
MAX_PULL = 0.2  # that is compensated; half of it is 1 % between the wheels of a Burger [rad/m]


class Span(NamedTuple):
    """Commanded and measured motion over a span of time, body frame."""

    seconds: float
    commanded: Array  # motion of an ideal robot [m], [m], [rad], (3,)
    moved: Array  # of this robot [m], [m], [rad], (3,)
    change: Array  # of its speed [m/s] and yaw rate [rad/s] from begin to end, (2,)


class Factors(NamedTuple):
    """How a robot's motion differs from the commanded one."""

    along: float = 1.0  # motion ahead per commanded motion [-]
    turn: float = 1.0  # turn per commanded turn [-]
    pull: float = 0.0  # turn per commanded motion [rad/m]

    def compensate(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """Return the command that gives a speed [m/s] and a yaw rate [rad/s]."""
        more = speed / clamp(self.along, MIN_GAIN, MAX_GAIN)
        pulled = clamp(self.pull, -MAX_PULL, MAX_PULL) * more
        return more, (yaw_rate - pulled) / clamp(self.turn, MIN_GAIN, MAX_GAIN)


class GainEstimator:
    """The gains of one robot, by least squares."""

    def __init__(self) -> None:
        """Assume unit gains."""
        self.reset()

    def reset(self) -> None:
        """Assume unit gains again."""
        self.factors = Factors()
        self.lags = (0.0, 0.0)  # time constants ahead and of the turn [s]
        ahead, turn, pull = _TRUST
        self._along = _Fit(np.array([ahead, _LAG_TRUST[0]]), np.array([1.0, 0.0]))
        self._turn = _Fit(np.array([turn, pull, _LAG_TRUST[1]]), np.array([1.0, 0.0, 0.0]))

    def copy(self) -> 'GainEstimator':
        """Return an independent copy."""
        return copy.deepcopy(self)

    def learn(self, span: Span, share: float) -> None:
        """Take a span, of which a fraction is new, as spans overlap."""
        way, turn = float(span.commanded[0]), float(span.commanded[2])
        ways, turns = abs(way) / _FADES[0], abs(turn) / _FADES[1]
        self._along.add(np.array([way, -span.change[0]]), float(span.moved[0]), share, ways)
        self._turn.add(np.array([turn, way, -span.change[1]]), float(span.moved[2]), share,
                       max(ways, turns))
        along, lag_ahead = self._along.solved().tolist()
        turn, pull, lag_turn = self._turn.solved().tolist()
        self.factors, self.lags = Factors(along, turn, pull), (lag_ahead, lag_turn)

    def expected(self, commanded: Array, change: Array) -> Array:
        """
        Return the expected way [m] and turn [rad] for commanded motions (n, 3): (n, 2).

        `change` (2,) is that of the velocity in the same time.
        """
        along, turn, pull = self.factors
        return np.stack([
            along * commanded[:, 0] - self.lags[0] * change[0],
            turn * commanded[:, 2] + pull * commanded[:, 0] - self.lags[1] * change[1]], axis=1)


class _Fit:
    """Least squares of one axis; the last coefficient is a lag, which is never negative."""

    def __init__(self, trust: Array, assumed: Array) -> None:
        """Start from assumed coefficients (k,) that weigh as much as regressors `trust` (k,)."""
        self._squares = np.diag(trust ** 2)
        self._products = trust ** 2 * assumed
        # What stays of it however far the robot drives, so that the sums can always be solved.
        self._rest = np.diag(1e-2 * trust ** 2)
        self._rest_products = 1e-2 * trust ** 2 * assumed

    def add(self, regressors: Array, moved: float, share: float, fades: float) -> None:
        """Add an equation of a weight `share`; older ones fade by `share * fades`."""
        keep = 1.0 - min(0.5, share * fades)
        self._squares = keep * self._squares + share * np.outer(regressors, regressors)
        self._products = keep * self._products + share * moved * regressors

    def solved(self) -> Array:
        """Return the coefficients (k,)."""
        squares, products = self._squares + self._rest, self._products + self._rest_products
        found = np.linalg.solve(squares, products)
        lag = clamp(float(found[-1]), 0.0, _MAX_LAG)
        if lag != found[-1]:
            rest = np.linalg.solve(squares[:-1, :-1], products[:-1] - lag * squares[:-1, -1])
            found = np.append(rest, lag)
        return np.asarray(found)
