"""What is wrong with the clocks and with the time that the work takes."""

import math
import time
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticStatus

from lstm_predictor.common.clock_offset import APART, JumpWatch, StampOffsets, TOO_FAR
from lstm_predictor.common.readings import Command, Imu
from lstm_predictor.control.status import Severity, Status
from lstm_predictor.nodes.diagnostics import LEVELS, STATUS, status
from lstm_predictor.nodes.queued_messages import span

from rclpy.node import Node

Reading = TypeVar('Reading', Imu, Command)

_FOREIGN = 10.0  # from which a clock of another time is not compared [s]
_LATE = 0.5  # and from the robot to this node [s]
_JUMP = 0.3  # [s]
_STOPPED = 1.0  # silence of /clock [s]
_REPORTED = 2.0  # how long a jump, or that messages were queued, is reported [s]
_BEHIND = 0.1  # that messages are queued, from which on it is not the network [s]
_WAITED = 0.3  # and from which on it is reported [s]


class ClockStatus(Status):
    """The worst thing about clocks and computing time: a text with its numbers, and a severity."""

    NO_CLOCK = 'use_sim_time is true and nothing is received on /clock', Severity.ERROR
    CLOCK_STOPPED = '/clock stopped {age:.1f} s ago', Severity.ERROR
    JUMPED = 'the clock of odom jumped by {size:+.2f} s', Severity.WARN
    QUEUED = 'odom waited {waited:.2f} s for this node ({count} messages at once), which had ' \
        'too little time: it goes on from the newest', Severity.WARN
    OTHER_CLOCK = 'odom is stamped {apart:.2f} s {where} the clock of this node: are the clocks ' \
        'synchronised, is use_sim_time right?', Severity.WARN
    COMPENSATED = '{topic} is stamped {apart:.2f} s {where} odom, which is compensated', \
        Severity.WARN
    TOO_FAR = '{topic} is stamped {apart:.2f} s {where} odom, too far to be used', Severity.WARN
    LATE = 'odom comes {late:.2f} s later than usual: its sender, the network or this computer ' \
        'is busy', Severity.WARN
    OVERLOADED = 'the work takes {busy:.3f} s of every {period:.3f} s', Severity.WARN
    AGREE = 'the clocks agree', Severity.OK
    UNKNOWN = 'nothing to compare yet', Severity.OK


class ClockMonitor:
    """Compares the stamps of messages with each other and with the node's clock."""

    def __init__(self, node: Node) -> None:
        """Know nothing yet."""
        self._node = node
        self._own_ns = 0
        self._own_at = time.monotonic()  # when the node's clock last went on [s] steady
        self.forget()

    def forget(self) -> None:
        """Forget every stamp."""
        self._stamps = StampOffsets()
        self._jumps = JumpWatch(_JUMP)
        self._taken_at = time.monotonic()  # when all odometry was taken that waited [s] steady
        self._waited = (0.0, 0)  # by odometry for this node [s], so many messages
        self._waited_at = -math.inf  # [s] steady

    def add_odometry(self, stamp_ns: int, newer_waits: bool = False) -> float:
        """
        Take the stamp [ns] of odometry that just came; return how far it jumped [s].

        Where a newer one waits already, its time of receipt says nothing.
        """
        if not newer_waits:
            self._stamps.add_odometry(self.now_ns(), stamp_ns)
        return self._jumps.add(stamp_ns, time.monotonic())

    def add_queued(self, odometry: list[Any]) -> bool:
        """Take odometry that was queued for this node; return whether the node is behind."""
        steady = time.monotonic()
        # Whatever the stamps are, it came after all that was taken the last time.
        waited = min(span(odometry), steady - self._taken_at)
        self._taken_at = steady
        if waited > _BEHIND and waited >= self._recently(steady):
            self._waited, self._waited_at = (waited, len(odometry)), steady
        return waited > _BEHIND

    def catch_up(self) -> None:
        """Compare nothing with the newest odometry: other topics were queued as well."""
        self._stamps.skip()

    def late(self) -> float:
        """Return how much later than others the newest odometry came [s]; 0 for foreign clocks."""
        odom = self._stamps.odom
        return 1e-9 * odom.late_ns if 1e-9 * abs(odom.offset_ns) < _FOREIGN else 0.0

    def on_odometry_clock(self, topic: str, reading: Reading) -> Reading:
        """Return a reading that just came with its stamp as the odometry's clock has it."""
        return reading._replace(stamp_ns=self._stamps.on_odometry_clock(
            topic, self.now_ns(), reading.stamp_ns))

    def now_ns(self) -> int:
        """Return the time of the node's clock [ns]."""
        return int(self._node.get_clock().now().nanoseconds)

    def receipt_ns(self) -> int:
        """Return the time of receipt of a message that comes now, by the odometry's clock [ns]."""
        return self.now_ns() - self._stamps.odom.offset_ns

    def status(self, busy: float = 0.0, period: float = 0.0) -> DiagnosticStatus:
        """Return the state of the clocks; `busy` of `period` [s] is what the work takes."""
        steady, now_ns = time.monotonic(), self.now_ns()
        if now_ns != self._own_ns:
            self._own_ns, self._own_at = now_ns, steady
        worst, numbers = self._worst(steady, busy, period)
        return status(LEVELS[worst.severity], 'timing', worst.text.format(**numbers), {
            STATUS: worst.name,
            'odom is received after its stamp by [s]': f'{1e-9 * self._stamps.odom.offset_ns:.3f}',
            'the newest odom came later than usual by [s]': f'{self.late():.3f}',
            'odom had to wait for this node by [s]': f'{self._recently(steady):.3f}',
            **{f'{topic} is stamped behind odom by [s]': f'{1e-9 * apart.offset_ns:.3f}'
               for topic, apart in self._stamps.topics.items()}})

    def _recently(self, steady: float) -> float:
        """Return by how much odometry had to wait in the last seconds [s]."""
        return self._waited[0] if steady - self._waited_at <= _REPORTED else 0.0

    def _worst(self, steady: float, busy: float, period: float
               ) -> tuple[ClockStatus, dict[str, Any]]:
        """Return the worst status and the numbers in its text."""
        if not self._own_ns:
            return ClockStatus.NO_CLOCK, {}
        if steady - self._own_at > _STOPPED:
            return ClockStatus.CLOCK_STOPPED, {'age': steady - self._own_at}
        if steady - self._jumps.jumped_at < _REPORTED:
            return ClockStatus.JUMPED, {'size': self._jumps.size}
        if self._recently(steady) > _WAITED:
            waited, count = self._waited
            return ClockStatus.QUEUED, {'waited': waited, 'count': count}
        offset = 1e-9 * self._stamps.odom.offset_ns
        if abs(offset) > _LATE:
            return ClockStatus.OTHER_CLOCK, _apart(offset)
        for topic, other in self._stamps.topics.items():
            offset = 1e-9 * other.offset_ns
            if abs(offset) > APART:
                worst = ClockStatus.COMPENSATED if abs(offset) < TOO_FAR else ClockStatus.TOO_FAR
                return worst, {'topic': topic, **_apart(offset)}
        if self.late() > _WAITED:
            return ClockStatus.LATE, {'late': self.late()}
        if busy > period > 0.0:
            return ClockStatus.OVERLOADED, {'busy': busy, 'period': period}
        return ClockStatus.AGREE if self._stamps.odom.known else ClockStatus.UNKNOWN, {}


def _apart(offset: float) -> dict[str, Any]:
    """Return how far stamps are behind a clock [s], and to which side."""
    return {'apart': abs(offset), 'where': 'behind' if offset > 0.0 else 'ahead of'}
