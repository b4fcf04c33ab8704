"""Offsets between the receiver's clock and the clocks that stamp messages, and their jumps."""

from collections import deque
import math
from statistics import median_low

APART = 0.1  # largest network delay between two topics of one robot [s]
TOO_FAR = 1.0  # offset from which on two clocks are not compensated [s]

_COUNT = 21  # messages over which two clocks are compared
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
    def known(self) -> bool:
        """Whether there was any message."""
        return bool(self._offsets)

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


class StampOffsets:
    """
    Compares the stamps of other topics with those of the odometry and compensates offsets.

    Two computers of one robot may disagree; then commands seem to come sooner or later than they
    do. On the robot and in a recording alike, message by message in the order of receipt.
    """

    def __init__(self) -> None:
        """Start without a message."""
        self.odom = ClockOffset()
        self.topics: dict[str, ClockOffset] = {}  # (odometry's clock - theirs) of other topics
        self._newest: tuple[int, int] | None = None  # odometry: receipt and stamp [ns]
        self._compared: set[str] = set()  # with the newest odometry

    def add_odometry(self, receive_ns: int, stamp_ns: int) -> None:
        """Take the receipt and the stamp [ns] of odometry."""
        self.odom.add(receive_ns, stamp_ns)
        self._newest = (receive_ns, stamp_ns)
        self._compared.clear()

    def skip(self) -> None:
        """Compare nothing with the newest odometry, as where the receiver was busy."""
        self._newest = None

    def on_odometry_clock(self, topic: str, receive_ns: int, stamp_ns: int) -> int:
        """Return the stamp [ns] of a message on another topic as the odometry's clock has it."""
        apart = self.topics.setdefault(topic, ClockOffset(_COUNT))
        if self._newest is not None and topic not in self._compared:
            # With the odometry just before it: what both were delayed by drops out. If the
            # receiver was busy in between, its own time would count.
            odometry_received_ns, odometry_ns = self._newest
            passed_ns = receive_ns - odometry_received_ns
            if passed_ns < 1e9 * APART:
                self._compared.add(topic)
                apart.add(passed_ns, stamp_ns - odometry_ns)
        wrong = APART < 1e-9 * abs(apart.offset_ns) < TOO_FAR
        return stamp_ns + apart.offset_ns if wrong else stamp_ns


class JumpWatch:
    """Detects jumps of the clock that stamps messages, whatever their latency and order."""

    def __init__(self, least: float) -> None:
        """Attribute less than `least` [s] to the network."""
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
