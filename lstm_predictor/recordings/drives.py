"""
The messages of a recording, split into drives at every discontinuity of the odometry.

All offline tools take their readings from here, on the odometry's clock as in the node: commands
without a stamp are placed by their time of receipt, topics of another computer by their offset.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lstm_predictor.common.clock_offset import StampOffsets, TOO_FAR
from lstm_predictor.common.discontinuity import Break, break_between, ClockSteps
from lstm_predictor.common.readings import Command, Imu, InvalidMessage, Odometry
from lstm_predictor.recordings.reception_times import ReceptionTimes

import numpy as np
from numpy.typing import NDArray

Reading = Odometry | Imu | Command

_SEAM_NS = 1_000_000_000  # after a jump of the clock, in which messages of before may come
_MAX_BREAKS = 3  # that are listed


class Received(NamedTuple):
    """One message as the recorder received it."""

    receive_ns: int
    topic: str
    reading: Reading | InvalidMessage
    stamped: bool = True  # false: the message had no stamp


@dataclass
class Drive:
    """Messages in the order of receipt, between two starts of the odometry."""

    odom: str  # topic
    received: list[Received] = field(default_factory=list)
    why: Break = Break()  # the discontinuity at its start; none for the first
    newest: Odometry | None = None  # by stamp
    receipts: ReceptionTimes | None = None  # None without odometry
    offsets: dict[str, float] = field(default_factory=dict)  # added to stamps, by topic [s]
    too_far: dict[str, float] = field(default_factory=dict)  # offsets too large to compensate

    @property
    def begin_ns(self) -> int:
        """When its first message was received [ns]."""
        return self.received[0].receive_ns

    def readings(self, *topics: str) -> Iterator[Reading]:
        """Yield the readings on some topics."""
        for item in self.received:
            if item.topic in topics and not isinstance(item.reading, InvalidMessage):
                yield item.reading

    def stamps_ns(self) -> NDArray[np.int64]:
        """Return the stamps of its odometry [ns], in the order of receipt, (n,)."""
        return np.array([reading.stamp_ns for reading in self.readings(self.odom)],
                        dtype=np.int64)

    def odometry_begin_ns(self) -> int:
        """Return when its first odometry was received [ns]."""
        return next(item.receive_ns for item in self.received if _is_odometry(item, self.odom))

    def odometry_end_ns(self) -> int:
        """Return when its last odometry was received [ns]."""
        return next(item.receive_ns for item in self.received[::-1]
                    if _is_odometry(item, self.odom))

    def time_ns(self, receive_ns: int) -> int:
        """Return the odometry's time of a receipt [ns]."""
        if self.receipts is None:
            return receive_ns
        return int(self.receipts.stamps(np.array([receive_ns], dtype=np.int64))[0])


def drives_of(received: Iterable[Received], odom: str, max_speed: float) -> list[Drive]:
    """
    Return the drives of a recording; `odom` is the topic of the odometry.

    A drive ends where the node would restart its prediction, given a robot of `max_speed` [m/s],
    and where the odometry's clock is set ahead.
    """
    splitter = _Splitter(odom, max_speed)
    for item in received:
        splitter.add(item)
    for drive in splitter.drives:
        _on_one_clock(drive)
    return [drive for drive in splitter.drives if drive.received] or splitter.drives


def findings(drives: list[Drive]) -> list[str]:
    """Return what was unusual, one line of text each."""
    if not drives:
        return []
    broken = [f'{drive.why.offline()} at '
              f'{1e-9 * (drive.begin_ns - drives[0].begin_ns):.1f} s: a new drive begins'
              for drive in drives if drive.why]
    lines = broken[:_MAX_BREAKS]
    if len(broken) > _MAX_BREAKS:
        lines.append(f'and {len(broken) - _MAX_BREAKS} more breaks of odom: {len(drives)} '
                     'drives in all')
    lines += [drive.receipts.finding for drive in drives
              if drive.receipts is not None and drive.receipts.finding][:1]
    for topic, offset in _widest(drive.offsets for drive in drives).items():
        lines.append(f'{topic}: stamp offset {offset:+.2f} s relative to odom, compensated')
    for topic, offset in _widest(drive.too_far for drive in drives).items():
        lines.append(f'{topic}: stamp offset {offset:+.2f} s relative to odom, too large to be '
                     'compensated: are the clocks synchronised?')
    return lines


def _widest(found: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the largest value of each name."""
    result: dict[str, float] = {}
    for values in found:
        for name, value in values.items():
            if abs(value) > abs(result.get(name, 0.0)):
                result[name] = value
    return result


class _Splitter:
    """Assigns each message to its drive."""

    def __init__(self, odom: str, max_speed: float) -> None:
        self.drives = [Drive(odom)]
        self._odom = odom
        self._max_speed = max_speed
        self._steps = ClockSteps()
        self._since = 0  # place of the first message after the newest odometry
        self._seam_ns = -_SEAM_NS  # receipt of the last jump of the clock

    def add(self, item: Received) -> None:
        """Take the next message."""
        drive = self.drives[-1]
        if item.topic == self._odom and isinstance(item.reading, Odometry):
            drive = self._of_odometry(item.receive_ns, item.reading)
            drive.received.append(item)
            self._since = len(drive.received)
            if drive.newest is None or item.reading.stamp_ns >= drive.newest.stamp_ns:
                drive.newest = item.reading
        elif item.receive_ns - self._seam_ns < _SEAM_NS and \
                _nearer(item, self.drives[-2].newest, drive.newest):
            self.drives[-2].received.append(item)
        else:
            drive.received.append(item)

    def _of_odometry(self, receive_ns: int, reading: Odometry) -> Drive:
        drive = self.drives[-1]
        why = Break() if drive.newest is None else break_between(
            drive.newest, reading, self._max_speed)
        ahead = self._steps.add(receive_ns, reading.stamp_ns)
        why = why or Break(ahead=ahead)
        if not why:
            return drive
        self._steps = ClockSteps()
        self._steps.add(receive_ns, reading.stamp_ns)
        self.drives.append(Drive(self._odom, why=why))
        if why.back or why.ahead:
            self._seam_ns = receive_ns
            waiting = drive.received[self._since:]
            early = [item for item in waiting if _nearer(item, reading, drive.newest)]
            drive.received[self._since:] = [item for item in waiting if item not in early]
            self.drives[-1].received += early
        return self.drives[-1]


def _nearer(item: Received, one: Odometry | None, other: Odometry | None) -> bool:
    """Return whether the stamp of a message lies nearer to one odometry than to another."""
    if not item.stamped or isinstance(item.reading, InvalidMessage) \
            or one is None or other is None:
        return False
    stamp_ns = item.reading.stamp_ns
    return abs(stamp_ns - one.stamp_ns) < abs(stamp_ns - other.stamp_ns)


def _on_one_clock(drive: Drive) -> None:
    """Set the stamps of a drive to the odometry's clock."""
    received = np.array([item.receive_ns for item in drive.received], dtype=np.int64)
    own = np.array([_is_odometry(item, drive.odom) for item in drive.received], dtype=bool)
    if not own.any():
        return
    drive.receipts = ReceptionTimes(received[own], drive.stamps_ns())
    times = drive.receipts.stamps(received)
    # Between clocks that drift apart, times of receipt do not measure elapsed time.
    passed = times if drive.receipts.drifts.any() else received
    offsets, changes = StampOffsets(), dict[str, list[int]]()
    for i, (item, time_ns, passed_ns) in enumerate(zip(
            drive.received, times.tolist(), passed.tolist())):
        reading = item.reading
        if isinstance(reading, InvalidMessage):
            continue
        if own[i]:
            offsets.add_odometry(passed_ns, reading.stamp_ns)
        elif not item.stamped:
            drive.received[i] = item._replace(reading=reading._replace(stamp_ns=time_ns))
        elif not isinstance(reading, Odometry):
            stamp_ns = offsets.on_odometry_clock(item.topic, passed_ns, reading.stamp_ns)
            if stamp_ns != reading.stamp_ns:
                changes.setdefault(item.topic, []).append(stamp_ns - reading.stamp_ns)
                drive.received[i] = item._replace(reading=reading._replace(stamp_ns=stamp_ns))
    drive.offsets = {topic: 1e-9 * float(np.median(found)) for topic, found in changes.items()}
    drive.too_far = {topic: 1e-9 * offset.offset_ns for topic, offset in offsets.topics.items()
                     if abs(offset.offset_ns) >= 1e9 * TOO_FAR and topic not in drive.offsets}


def _is_odometry(item: Received, odom: str) -> bool:
    return item.topic == odom and isinstance(item.reading, Odometry)
