"""Buffer of readings sorted by stamp, whatever order they arrive in."""

import numpy as np
from numpy.typing import NDArray


class TimeSeries:
    """
    Rows of numbers sorted by stamp, the oldest forgotten after a span.

    Two readings of one stamp are one reading: the first stays.
    """

    def __init__(self, width: int, span_ns: int | None = None) -> None:
        """Keep rows of `width` numbers that are at most `span_ns` [ns] older than the newest."""
        self.span_ns = span_ns
        self._times = np.zeros(256, dtype=np.int64)
        self._values = np.zeros((256, width))
        self._begin = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def times(self) -> NDArray[np.int64]:
        """Stamps [ns], strictly increasing, (n,)."""
        return self._times[self._begin:self._end]

    @property
    def values(self) -> NDArray[np.float64]:
        """Rows in the order of `times`, (n, width)."""
        return self._values[self._begin:self._end]

    def add(self, stamp_ns: int, row: tuple[float, ...]) -> bool:
        """Insert a row at its stamp [ns]; False where it is a repetition or too old to matter."""
        times = self.times
        place = len(times)
        if place and stamp_ns <= times[-1]:
            place = int(np.searchsorted(times, stamp_ns))
            too_old = self.span_ns is not None and stamp_ns < times[-1] - self.span_ns
            if times[place] == stamp_ns or too_old:
                return False
        self._make_room()
        at = self._begin + place
        for array in (self._times, self._values):
            array[at + 1:self._end + 1] = array[at:self._end]
        self._times[at] = stamp_ns
        self._values[at] = row
        self._end += 1
        self._forget()
        return True

    def drop_from(self, stamp_ns: int) -> None:
        """Forget the rows at a stamp [ns] and after it."""
        self._end = self._begin + int(np.searchsorted(self.times, stamp_ns))

    def clear(self) -> None:
        """Forget everything."""
        self._begin = self._end = 0

    def _forget(self) -> None:
        if self.span_ns is not None:
            oldest = self._times[self._end - 1] - self.span_ns
            self._begin += int(np.searchsorted(self.times, oldest))

    def _make_room(self) -> None:
        """Move the rows to the front, of larger arrays where half is in use."""
        if self._end < len(self._times):
            return
        n = len(self)
        capacity = max(len(self._times), 2 * n)
        times = np.zeros(capacity, dtype=np.int64)
        values = np.zeros((capacity, self._values.shape[1]))
        times[:n], values[:n] = self.times, self.values
        self._times, self._values = times, values
        self._begin, self._end = 0, n
