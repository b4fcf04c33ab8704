"""How far a receiver's clock is ahead of the clock that stamps the odometry."""

from collections import deque
from statistics import median_low

_JUMP_NS = 1_000_000_000


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

    def add(self, receive_ns: int, stamp_ns: int) -> None:
        """Take the time of receipt and the stamp of a message [ns]."""
        offset_ns = receive_ns - stamp_ns
        if abs(offset_ns - self.offset_ns) > _JUMP_NS:
            self._offsets.clear()
        self._offsets.append(offset_ns)
