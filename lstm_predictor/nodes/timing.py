"""What is wrong with the clocks, in words."""

import time
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticStatus

from lstm_predictor.core.clock import ClockOffset, JumpWatch
from lstm_predictor.core.samples import Command, Imu
from lstm_predictor.nodes import health

Reading = TypeVar('Reading', Imu, Command)

_APART = 0.1  # what a network may take between two topics of one robot [s]
_TOO_FAR = 1.0  # between two clocks that are taken for one [s]
_FOREIGN = 10.0  # from which a clock of another time is not compared [s]
_LATE = 0.5  # and from the robot to this node [s]
_JUMP = 0.3  # [s]
_STOPPED = 1.0  # silence of /clock [s]
_COUNT = 21  # messages over which two clocks are compared
_NAMED = 2.0  # how long a jump is told [s]


class Timing:
    """Compares the stamps of messages with each other and with the node's clock."""

    def __init__(self, node: Any) -> None:
        """Know nothing yet."""
        self._node = node
        self._own_ns = 0
        self._own_at = time.monotonic()  # when the node's clock last went on [s] steady
        self.forget()

    def forget(self) -> None:
        """Forget every stamp."""
        self._odom = ClockOffset()
        self._newest: tuple[int, int] | None = None  # odometry: receipt and stamp [ns]
        self._apart: dict[str, ClockOffset] = {}  # other topics, after the odometry's clock
        self._compared: set[str] = set()  # with the newest odometry
        self._jumps = JumpWatch(_JUMP)

    def add_odometry(self, stamp_ns: int) -> float:
        """Take the stamp [ns] of odometry that just came; return how far it jumped [s]."""
        now_ns = self.now_ns()
        self._odom.add(now_ns, stamp_ns)
        self._newest = (now_ns, stamp_ns)
        self._compared.clear()
        return self._jumps.add(stamp_ns, time.monotonic())

    def late(self) -> float:
        """Return how much later than others the newest odometry came [s]; 0 for foreign clocks."""
        return 1e-9 * self._odom.late_ns if 1e-9 * abs(self._odom.offset_ns) < _FOREIGN else 0.0

    def on_odometry_clock(self, topic: str, reading: Reading) -> Reading:
        """Return a reading that just came with its stamp as the odometry's clock has it."""
        stamp_ns = reading.stamp_ns
        apart = self._apart.setdefault(topic, ClockOffset(_COUNT))
        if self._newest is not None and topic not in self._compared:
            # With the odometry just before it: what both were delayed by drops out. If this node
            # was busy in between, its own time would count.
            heard_ns, odometry_ns = self._newest
            passed_ns = self.now_ns() - heard_ns
            if passed_ns < 1e9 * _APART:
                self._compared.add(topic)
                apart.add(passed_ns, stamp_ns - odometry_ns)
        wrong = _APART < 1e-9 * abs(apart.offset_ns) < _TOO_FAR
        return reading._replace(stamp_ns=stamp_ns + apart.offset_ns) if wrong else reading

    def now_ns(self) -> int:
        """Return the time of the node's clock [ns]."""
        return int(self._node.get_clock().now().nanoseconds)

    def heard_ns(self) -> int:
        """Return the time of the odometry's clock at which something that comes now was heard."""
        return self.now_ns() - self._odom.offset_ns

    def status(self, busy: float = 0.0, period: float = 0.0) -> DiagnosticStatus:
        """Return the state of the clocks; `busy` of `period` [s] is what the work takes."""
        steady, now_ns = time.monotonic(), self.now_ns()
        if now_ns != self._own_ns:
            self._own_ns, self._own_at = now_ns, steady
        level, text = self._worst(steady, busy, period)
        return health.status(level, 'timing', text, {
            'odom is heard after its stamp by [s]': f'{1e-9 * self._odom.offset_ns:.3f}',
            **{f'{topic} is stamped behind odom by [s]': f'{1e-9 * apart.offset_ns:.3f}'
               for topic, apart in self._apart.items()}})

    def _worst(self, steady: float, busy: float, period: float) -> tuple[Any, str]:
        if not self._own_ns:
            return health.ERROR, 'use_sim_time is true and nothing is heard on /clock'
        if steady - self._own_at > _STOPPED:
            return health.ERROR, f'/clock stopped {steady - self._own_at:.1f} s ago'
        if steady - self._jumps.jumped_at < _NAMED:
            return health.WARN, f'the clock of odom jumped by {self._jumps.size:+.2f} s'
        late = 1e-9 * self._odom.offset_ns
        if abs(late) > _LATE:
            where = 'behind' if late > 0.0 else 'ahead of'
            return health.WARN, f'odom is stamped {abs(late):.2f} s {where} the clock of this ' \
                                f'node: are the clocks synchronised, is use_sim_time right?'
        for topic, offset in self._apart.items():
            apart = 1e-9 * offset.offset_ns
            if abs(apart) > _APART:
                where = 'behind' if apart > 0.0 else 'ahead of'
                what = 'which is made up for' if abs(apart) < _TOO_FAR else 'too far to be used'
                return health.WARN, f'{topic} is stamped {abs(apart):.2f} s {where} odom, {what}'
        if busy > period > 0.0:
            return health.WARN, f'the work takes {busy:.3f} s of every {period:.3f} s'
        return health.OK, 'the clocks agree' if self._newest else 'nothing to compare yet'
