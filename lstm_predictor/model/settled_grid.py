"""
The rows with which the model's state advances.

Rows are about a step apart. Where an odometry message lies within a tenth of a step of where the
next row is due, the row is at its stamp: at a rate that the grid divides, every row is a
measurement, and the grid follows a clock that is not quite the grid's. A row is settled once, from
all readings up to a stamp before which none comes any more; a pause of the odometry is one row of
zeros, after which the rows begin anew.
"""

from typing import NamedTuple

from lstm_predictor.model.window import FEATURES, NEAR, Times, Window

import numpy as np
from numpy.typing import NDArray


class SettledRows(NamedTuple):
    """Some rows, oldest first."""

    stamps_ns: Times  # that of the message that ended it, for a pause (n,)
    rows: NDArray[np.float64]  # (n, F)


class SettledGrid:
    """Settles the rows of a window of readings, each once."""

    def __init__(self, window: Window) -> None:
        """Start before the first reading."""
        self._window = window
        self._near_ns = round(NEAR * window.config.step_ns)
        self.reset()

    def reset(self) -> None:
        """Begin with the first odometry that the window has then."""
        self._row_ns: int | None = None  # from which the next row is counted
        self.settled_ns: int | None = None  # readings up to here change nothing any more

    def settle(self, until_ns: int) -> SettledRows:
        """Return the new rows that follow from the readings up to a stamp [ns]."""
        times = self._window.odometry.times
        if self.settled_ns is None or until_ns > self.settled_ns:
            self.settled_ns = until_ns
        if self._row_ns is None and len(times) and times[0] <= until_ns:
            self._row_ns = int(times[0])
        stamps, there = [], []
        step_ns = self._window.config.step_ns
        while self._row_ns is not None and self._row_ns + step_ns + self._near_ns <= until_ns:
            row_ns = self._next(times, self._row_ns + step_ns)
            after = int(np.searchsorted(times, row_ns))
            if after == len(times) or times[after] > until_ns:
                break
            gap_ns = int(times[after] - times[max(after - 1, 0)])
            paused = row_ns != times[after] and gap_ns > 1e9 * self._window.config.max_gap
            self._row_ns = int(times[after]) if paused else row_ns
            stamps.append(self._row_ns)
            there.append(not paused)
        return self._made(np.array(stamps, dtype=np.int64), np.array(there, dtype=bool))

    def _next(self, times: Times, due_ns: int) -> int:
        """Return the stamp [ns] of the row that is due, at that of odometry close to it."""
        after = int(np.searchsorted(times, due_ns))
        near = times[max(after - 1, 0):after + 1]
        if len(near):
            closest = int(near[np.argmin(np.abs(near - due_ns))])
            if abs(closest - due_ns) <= self._near_ns:
                return closest
        return due_ns

    def _made(self, stamps_ns: Times, there: NDArray[np.bool_]) -> SettledRows:
        rows = np.zeros((len(stamps_ns), len(FEATURES)))
        if there.any():
            rows[there] = self._window.rows_at(stamps_ns[there])
        return SettledRows(stamps_ns, rows)
