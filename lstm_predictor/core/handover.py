"""Which of several predictors drives: the better one, but not another one at every step."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Handover:
    """
    Keeps to one predictor until another is clearly better.

    A predictor that may not drive for a while loses nothing of its standing: the one in its place
    drives until then.
    """

    def __init__(self, margin: float, dwell: float) -> None:
        """Start with the first; `margin` is of the costs, `dwell` the least time of one [s]."""
        self._margin = margin
        self._dwell_ns = round(1e9 * dwell)
        self.reset()

    def reset(self) -> None:
        """Start anew with the first."""
        self._deserved = 0  # who is to drive whenever it may
        self._driving = 0
        self._since_ns: int | None = None

    def choose(self, now_ns: int, costs: Array, may: NDArray[np.bool_]) -> int:
        """
        Return the number of the one that drives from now on.

        `costs` (C,) are what each costs at the moment, infinite for one that is of no use, `may`
        (C,) tells who may drive. Where nobody may, it is the one that would.
        """
        settled = self._since_ns is None or now_ns - self._since_ns >= self._dwell_ns
        self._deserved = self._kept(self._deserved, costs, settled)
        driving = self._deserved
        if may.any() and not may[driving]:
            driving = self._kept(self._driving, np.where(may, costs, math.inf), settled)
            driving = driving if may[driving] else int(np.argmax(may))
        if driving != self._driving:
            self._driving, self._since_ns = driving, now_ns
        return driving

    def _kept(self, current: int, costs: Array, settled: bool) -> int:
        best = int(np.argmin(costs))
        if math.isinf(costs[current]):
            return best
        return best if settled and costs[current] - costs[best] > self._margin else current
