"""Detects odometry with frozen or jittering poses, or with stamps out of order."""

from collections import deque
import math

from lstm_predictor.common.readings import InvalidMessage, Odometry

_LATE = 1.0  # by which a stamp may go back; more is another time [s]
# Poses that do not follow the twist.
_TWIST = (0.05, 0.2)  # mean that must show in the poses [m/s], [rad/s]
_SMOOTH = 0.5  # time over which it is a mean [s]
_FROZEN = 2.0  # time after which poses are frozen [s]
_SAME = 1e-6  # change of a pose that is none [m], [rad]
_GAP = 0.5  # between messages, which is no evidence [s]
# Poses that jitter about one place.
_SPAN_NS = 3_000_000_000  # over which they are examined
_EVERY_NS = 40_000_000  # between two that are examined, at least
_WINDING = 6.0  # length of their path over its extent, more than any driver's [-]
_JITTER = (0.01, 0.2)  # extent that is reported, and that is one place [m]
# Stamps that go back.
_COUNT = 1000  # messages after which older ones count for half
_BACK = (3, 0.01)  # of them, and their share, that are worth a word


class PoseCheck:
    """Watches poses and stamps of the odometry, message by message."""

    def __init__(self) -> None:
        """Start without a message."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._seen = self._back = 0
        self.forget_poses()

    def forget_poses(self) -> None:
        """Start again after a jump; counts are kept."""
        self._last: Odometry | None = None
        self._still = (_Still(_TWIST[0]), _Still(_TWIST[1]))
        self._places: deque[tuple[int, float, float]] = deque()
        self._looked_ns = 0
        self._jitter = 0.0  # [m]

    def take(self, odometry: Odometry) -> None:
        """Take the next message; raise InvalidMessage where its pose is frozen."""
        last = self._last
        self._seen += 1
        if self._seen > _COUNT:
            self._seen, self._back = self._seen // 2, self._back // 2
        if last is not None and odometry.stamp_ns <= last.stamp_ns:
            late = 1e-9 * (last.stamp_ns - odometry.stamp_ns)
            self._back += 0.0 < late <= _LATE
            if late <= _LATE:
                return
            self.forget_poses()
            last = None
        self._last = odometry
        self._check_jitter(odometry)
        if last is not None:
            self._check_motion(last, odometry)

    @property
    def frozen_since_ns(self) -> int:
        """Stamp [ns] from which on the poses are frozen, 0 while they are not."""
        return max((still.since_ns for still in self._still if still.seconds > _FROZEN), default=0)

    def findings(self) -> dict[str, str]:
        """Return findings as text, by input and field."""
        found = {}
        if self._back >= _BACK[0] and self._back > _BACK[1] * self._seen:
            found['odom stamps'] = f'go back in {self._back} of {self._seen} messages: they are ' \
                                   f'put in order'
        if self._jitter:
            found['odom position'] = f'jitters by {self._jitter:.3f} m about one place: ' \
                                     f'predictions are scored by that noise'
        return found

    def _check_motion(self, last: Odometry, now: Odometry) -> None:
        moved = math.hypot(now.x - last.x, now.y - last.y) > _SAME, \
            abs(math.remainder(now.yaw - last.yaw, math.tau)) > _SAME
        for still, moves, said in zip(self._still, moved, (now.speed, now.yaw_rate)):
            still.take(moves, said, last.stamp_ns, now.stamp_ns)
        for still, name, unit in zip(self._still, ('position', 'yaw'), ('m/s', 'rad/s')):
            if still.seconds > _FROZEN:
                raise InvalidMessage(
                    f'its {name} has not changed for {still.seconds:.0f} s while its twist is '
                    f'{still.mean:.2f} {unit}: nothing can be predicted or scored from such poses')

    def _check_jitter(self, odometry: Odometry) -> None:
        places, stamp_ns = self._places, odometry.stamp_ns
        if places and stamp_ns - places[-1][0] < _EVERY_NS:
            return
        places.append((stamp_ns, odometry.x, odometry.y))
        while places[0][0] < stamp_ns - _SPAN_NS:
            places.popleft()
        if stamp_ns - self._looked_ns < _SPAN_NS // 3:
            return
        self._looked_ns = stamp_ns
        _, x, y = zip(*places)
        extent = math.hypot(max(x) - min(x), max(y) - min(y))
        path = sum(math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]) for i in range(1, len(x)))
        winds = path > _WINDING * extent and stamp_ns - places[0][0] > 0.8 * _SPAN_NS
        self._jitter = 0.5 * extent if winds and _JITTER[0] < extent < _JITTER[1] else 0.0


class _Still:
    """One axis of a pose: for how long it has not changed although the twist moves."""

    def __init__(self, least: float) -> None:
        self._least = least
        self.seconds = 0.0
        self.mean = 0.0  # of the twist meanwhile
        self.since_ns = 0

    def take(self, moves: bool, said: float, last_ns: int, now_ns: int) -> None:
        seconds = 1e-9 * (now_ns - last_ns)
        if moves or not math.isfinite(said) or seconds > _GAP:
            self.seconds = self.mean = 0.0
            return
        self.mean += (1.0 - math.exp(-seconds / _SMOOTH)) * (said - self.mean)
        if abs(self.mean) < self._least:
            self.seconds = 0.0
            return
        if not self.seconds:
            self.since_ns = last_ns
        self.seconds += seconds
