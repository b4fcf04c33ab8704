"""How far a receiver's clock is ahead of the clock that stamps messages, and when it jumps."""

from collections import deque
import math
from statistics import median_low

_JUMP_NS = 1_000_000_000
_PACE = 2.0  # of simulated time that is no jump [-]


class ClockOffset:
    """
    The median of (receive time - stamp) over the last messages.

    A Twist carries no stamp: its time of receipt, less this offset, is on the odometry's clock.
    Where one of the clocks jumps, what was before counts no more.
    """

    def __init__(self, count: int = 101) -> None:
        """Take the median over the last `count` messages."""
        self._offsets: deque[int] = deque(maxlen=count)

    @property
    def offset_ns(self) -> int:
        """The offset [ns]; zero before the first message."""
        return median_low(self._offsets) if self._offsets else 0

    @property
    def late_ns(self) -> int:
        """How much later the last message came than the most punctual of them did [ns]."""
        return self._offsets[-1] - min(self._offsets) if self._offsets else 0

    def add(self, receive_ns: int, stamp_ns: int) -> None:
        """Take the time of receipt and the stamp of a message [ns]."""
        offset_ns = receive_ns - stamp_ns
        if abs(offset_ns - self.offset_ns) > _JUMP_NS:
            self._offsets.clear()
        self._offsets.append(offset_ns)


class JumpWatch:
    """Sees a clock that stamps messages jump, however late and in what order they arrive."""

    def __init__(self, least: float) -> None:
        """Take less than `least` [s] for what a network does."""
        self._least_ns = round(1e9 * least)
        self._newest_ns: int | None = None
        self._at = 0.0  # [s] steady
        self.jumped_at = -math.inf  # [s] steady
        self.size = 0.0  # of the last jump [s]

    def add(self, stamp_ns: int, steady: float) -> float:
        """Take the stamp [ns] of a message and its receipt [s]; return how far it jumped [s]."""
        jumped = 0.0
        if self._newest_ns is not None:
            passed_ns = stamp_ns - self._newest_ns
            # Messages that had to wait come all at once, and simulated time has its own pace.
            most_ns = round(1e9 * _PACE * (steady - self._at)) + self._least_ns
            if not -self._least_ns <= passed_ns <= most_ns:
                self.jumped_at, self.size = steady, 1e-9 * passed_ns
                jumped = self.size
        self._newest_ns, self._at = stamp_ns, steady
        return jumped
