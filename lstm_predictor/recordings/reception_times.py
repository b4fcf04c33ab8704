"""
Conversion of times of receipt to the odometry's clock, for recordings.

A Twist has no stamp. Where both clocks run at the same rate, its stamp is the time of receipt
less the usual offset, as in the node. Where a simulation runs at another or a varying rate, it is
interpolated between the odometry received before and after it.
"""

from functools import cached_property

from lstm_predictor.common.clock_offset import ClockOffset

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]

_BLOCK = 101  # messages over which an offset is the same where the clocks run alike
_FEW = 10  # messages in which a simulation may come to another pace
_MIN_STEP = 0.02  # from block to block that is no jitter [s]
_MIN_SOON = 0.1  # in a few messages: some recorders wander by less, and come back [s]
_MIN_DRIFT = 0.004  # [s/s]
_UNSURE = 10.0  # times the deviation of a median that is no jitter either [-]
_BURST = 0.2  # of the usual time between two receipts: those messages had waited [-]
_CLEAN = 1e-3  # of receipts: so little jitter is none [s]
_SPIKE = 5e-3  # by which a single receipt may be late before it is left out [s]
_NEAR = 10  # messages on either side that a line is laid through where receipts jitter


class ReceptionTimes:
    """Receipts and stamps of the odometry of one drive, in the order of receipt."""

    def __init__(self, receive_ns: Times, stamps_ns: Times) -> None:
        """Take the receipts, which do not fall, and the stamps [ns], (n,) each, n > 0."""
        self._receive_ns = np.asarray(receive_ns, dtype=np.int64)
        self._origin_ns = int(stamps_ns[0])
        self._offsets_ns = self._receive_ns - np.asarray(stamps_ns, dtype=np.int64)
        usual, offset = [], ClockOffset(_BLOCK)
        for received, stamp in zip(self._receive_ns.tolist(), np.asarray(stamps_ns).tolist()):
            offset.add(received, stamp)
            usual.append(offset.offset_ns)
        self._usual_ns = np.array(usual, dtype=np.int64)

    @cached_property
    def drifts(self) -> NDArray[np.bool_]:
        """Whether the clocks drift apart around each message, (n,)."""
        times, stamps = self._points
        found = np.zeros(len(times), dtype=bool)
        for size, least in ((_BLOCK, _MIN_STEP), (_FEW, _MIN_SOON)):
            found |= _drifts(times, times - stamps, min(size, len(times) // 4), least)
        at = 1e-9 * (self._receive_ns - self._receive_ns[0])
        nearest = np.clip(np.searchsorted(times, at, side='right') - 1, 0, len(times) - 1)
        return np.asarray(found[nearest])

    @property
    def finding(self) -> str:
        """The finding about the clocks as text, empty where they run at the same rate."""
        if not self.drifts.any():
            return ''
        passed = float(self._receive_ns[-1] - self._receive_ns[0])
        pace = 1.0 - float(self._offsets_ns[-1] - self._offsets_ns[0]) / max(passed, 1.0)
        return f'odom and the clock of the recorder drift apart by ' \
               f'{1e-9 * np.ptp(self._offsets_ns):.2f} s (odom runs at {pace:.3g} times its ' \
               'pace): commands without a stamp are placed by the odometry before and after them'

    def stamps(self, receive_ns: Times) -> Times:
        """Return the odometry's time [ns] at each receipt [ns], (m,)."""
        received = np.asarray(receive_ns, dtype=np.int64)
        newest = np.searchsorted(self._receive_ns, received, side='right') - 1
        newest = np.maximum(newest, 0)  # what was received before the first as just after it
        stamps = received - self._usual_ns[newest]
        apart = self.drifts[newest]
        if apart.any():
            stamps[apart] = self._between(received[apart])
        return np.asarray(stamps)

    def _between(self, received: Times) -> Times:
        at = 1e-9 * (received - self._receive_ns[0])
        line = _through_jitter if self._jitters else _along
        return self._origin_ns + np.round(1e9 * line(at, *self._points)).astype(np.int64)

    @cached_property
    def _jitters(self) -> bool:
        times, stamps = self._points
        return _jitters(times, stamps - times)

    @cached_property
    def _points(self) -> tuple[Array, Array]:
        """Receipts and stamps [s] since the first, strictly increasing, of punctual messages."""
        stamps_ns = self._receive_ns - self._offsets_ns
        newest = np.maximum.accumulate(stamps_ns)
        rises = np.ones(len(stamps_ns), dtype=bool)
        rises[1:] = (stamps_ns[1:] > newest[:-1]) & (np.diff(self._receive_ns) > 0)
        times = 1e-9 * (self._receive_ns[rises] - self._receive_ns[0])
        stamps = 1e-9 * (stamps_ns[rises] - self._origin_ns)
        kept = ~_held_up(times, stamps)
        times, stamps = times[kept], stamps[kept]
        if _jitter(times, stamps - times) < _CLEAN:
            kept = ~_spikes(times, stamps)
            times, stamps = times[kept], stamps[kept]
        return times, stamps


def _drifts(times: Array, offsets: Array, size: int, step: float) -> NDArray[np.bool_]:
    """
    Return where medians over `size` messages move by more than jitter explains, (n,).

    And by more than `step` [s] from one to the next.
    """
    n = len(times)
    if size < 5:
        return np.zeros(n, dtype=bool)
    number = np.minimum(np.arange(n) // size, n // size - 1)
    blocks = [slice(*np.searchsorted(number, (i, i + 1))) for i in range(number[-1] + 1)]
    medians = np.array([np.median(offsets[block]) for block in blocks])
    centres = np.array([np.median(times[block]) for block in blocks])
    least = np.maximum(step, _MIN_DRIFT * np.diff(centres))
    least = np.maximum(least, _UNSURE / np.sqrt(size) * _jitter(times, offsets))
    apart = np.zeros(len(blocks), dtype=bool)
    for i in np.flatnonzero(np.abs(np.diff(medians)) > least):
        # The usual offset is of what came before, and remembers this for so long.
        apart[i:i + 2 + _BLOCK // size] = True
    return np.asarray(apart[number])


def _held_up(times: Array, stamps: Array) -> NDArray[np.bool_]:
    """Return which messages came together with the next one: they had to wait somewhere."""
    if len(times) < 3:
        return np.zeros(len(times), dtype=bool)
    pace = np.diff(times) / np.diff(stamps)
    return np.append(pace < _BURST * np.median(pace), False)


def _along(at: Array, times: Array, stamps: Array) -> Array:
    """Return the stamps between the messages before and after, or beyond the ends."""
    found = np.interp(at, times, stamps)
    for outside, end, inner in ((at < times[0], 0, min(20, len(times) - 1)),
                                (at > times[-1], -1, max(-21, -len(times)))):
        slope = (stamps[inner] - stamps[end]) / (times[inner] - times[end])
        found[outside] = stamps[end] + slope * (at[outside] - times[end])
    return np.asarray(found)


def _through_jitter(at: Array, times: Array, stamps: Array) -> Array:
    """Return the stamps on the line (Theil and Sen) through the messages around each receipt."""
    found = np.empty(len(at))
    for i, place in enumerate(np.searchsorted(times, at)):
        begin = max(0, min(place - _NEAR, len(times) - 2 * _NEAR))
        x, y = times[begin:begin + 2 * _NEAR] - at[i], stamps[begin:begin + 2 * _NEAR]
        one, other = np.triu_indices(len(x), 1)
        slope = np.median((y[other] - y[one]) / (x[other] - x[one]))
        found[i] = np.median(y - slope * x)
    return found


def _jitters(times: Array, offsets: Array) -> bool:
    """
    Return whether receipts jitter, unlike a pace that varies.

    Jitter takes back what it added: its steps from message to message are correlated by -0.5,
    those of a clock whose pace varies are not.
    """
    if len(times) < 8 or _jitter(times, offsets) < _CLEAN:
        return False
    steps = np.diff(offsets)
    steps -= np.median(steps)
    most = 3.0 * np.median(np.abs(steps)) + 1e-9
    steps = np.clip(steps, -most, most)
    return float(np.sum(steps[1:] * steps[:-1])) < -0.25 * float(np.sum(steps ** 2))


def _jitter(times: Array, offsets: Array) -> float:
    """Return by how much most receipts are off the line through their neighbours [s]."""
    if len(times) < 3:
        return 0.0
    away = offsets[1:-1] - _on_line(times[1:-1], times[:-2], offsets[:-2], times[2:], offsets[2:])
    return float(np.median(np.abs(away)))


def _spikes(times: Array, stamps: Array) -> NDArray[np.bool_]:
    """Return which messages lie on no line through their neighbours, on either side or both."""
    found = np.zeros(len(times), dtype=bool)
    if len(times) < 5:
        return found
    at = [slice(i, len(times) - 4 + i) for i in range(5)]
    away = [stamps[at[2]] - _on_line(times[at[2]], times[at[i]], stamps[at[i]],
                                     times[at[j]], stamps[at[j]])
            for i, j in ((0, 1), (1, 3), (3, 4))]
    found[at[2]] = np.min(np.abs(away), axis=0) > _SPIKE
    return found


def _on_line(at: Array, x0: Array, y0: Array, x1: Array, y1: Array) -> Array:
    """Return the height at `at` of the lines through (x0, y0) and (x1, y1), (n,)."""
    return np.asarray(y0 + (y1 - y0) / (x1 - x0) * (at - x0))
