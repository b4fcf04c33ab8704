"""Checks the odometry's twist against its poses, and differentiates these where it is wrong."""

from collections import deque
import math

from lstm_predictor.common.readings import Odometry
from lstm_predictor.sensor_checks.agreement import Agreement
from lstm_predictor.sensor_checks.intervals import Interval

_STILL = (0.03, 0.1)  # motion that is no evidence [m/s], [rad/s]
_NOISE = 4.0  # standard deviations of the poses' noise that are no motion yet [-]
_ROUGH = (0.02, 0.05)  # tolerated noise of a twist from the poses [m/s], [rad/s]
_MAX_SPAN = 0.1  # time over which poses are differentiated against it [s]
_GAP = 0.5  # between two poses of which no twist is made [s]
_WORDS = {
    'zero': 'is left at zero',
    'alone': 'goes on while the poses stand',
    'other': 'is in the frame of the odometry, not of the robot',
    'sign': 'has the wrong sign',
    'degrees': 'is in degrees/s',
    'scale': 'is {factor:.2g} times what the poses say',
    'unlike': 'does not fit the poses'}


class TwistCheck:
    """
    Speed and yaw rate of the odometry, each compared with the poses and replaced if wrong.

    The poses are the reference, since predictions are scored by them.
    """

    def __init__(self) -> None:
        """Start with a twist that is right."""
        self._speed, self._yaw_rate = Agreement(), Agreement()
        self._poses: deque[Odometry] = deque()  # in order of time
        self._twist = (0.0, 0.0)  # by them
        self._spans = (0.0, 0.0)  # over which it is taken [s]

    def reset(self) -> None:
        """Forget everything."""
        self._speed.reset()
        self._yaw_rate.reset()
        self.forget_poses()

    def forget_poses(self) -> None:
        """Start again after a jump; findings are kept."""
        self._poses.clear()
        self._twist = (0.0, 0.0)

    @property
    def wrong(self) -> tuple[bool, bool]:
        """Whether speed and yaw rate are taken from the poses."""
        return self._speed.wrong, self._yaw_rate.wrong

    def believe(self, wrong: tuple[bool, bool]) -> None:
        """Begin with earlier findings."""
        self._speed.wrong, self._yaw_rate.wrong = wrong

    def like_this(self) -> 'TwistCheck':
        """Return a check with the same findings, without poses."""
        other = TwistCheck()
        other.believe(self.wrong)
        other._spans = self._spans
        return other

    def take(self, interval: Interval) -> None:
        """Compare the twist with the poses of an interval."""
        self._spans = tuple(  # type: ignore[assignment]
            min(noise / rough, _MAX_SPAN) for noise, rough in zip(interval.noise, _ROUGH))
        for axis, true, said, still, noise, other in zip(
                (self._speed, self._yaw_rate), (interval.forward, interval.turn),
                (interval.speed, interval.yaw_rate), _STILL, interval.noise,
                (interval.east, None)):
            axis.add(true, said, max(still * interval.seconds, _NOISE * noise), other)

    def use(self, odometry: Odometry) -> Odometry:
        """Return odometry with the corrected twist."""
        self._differentiate(odometry)
        speed, yaw_rate = (
            true if wrong else said for wrong, true, said in zip(
                self.wrong, self._twist, (odometry.speed, odometry.yaw_rate)))
        return odometry._replace(speed=speed, yaw_rate=yaw_rate) if any(self.wrong) else odometry

    def findings(self) -> dict[str, str]:
        """Return findings and corrections as text, by input and field."""
        return {name: f'{_WORDS[axis.kind].format(factor=axis.factor)}: {taken} taken from the '
                      f'poses'
                for axis, name, taken in (
                    (self._speed, 'odom twist.linear.x', 'speeds are'),
                    (self._yaw_rate, 'odom twist.angular.z', 'yaw rates are'))
                if axis.wrong and axis.kind}

    def _differentiate(self, odometry: Odometry) -> None:
        """Differentiate the poses up to the newest one."""
        poses, stamp_ns = self._poses, odometry.stamp_ns
        if poses and stamp_ns <= poses[-1].stamp_ns:
            if stamp_ns > poses[-1].stamp_ns - 1e9:
                return  # late
            self.forget_poses()
        poses.append(odometry)
        while len(poses) > 2 and stamp_ns - poses[1].stamp_ns >= 1e9 * _MAX_SPAN:
            poses.popleft()
        if len(poses) < 2 or stamp_ns - poses[-2].stamp_ns > 1e9 * _GAP:
            self._twist = (0.0, 0.0)
        elif any(self.wrong):
            self._twist = tuple(  # type: ignore[assignment]
                _between(self._before(span), odometry)[axis]
                for axis, span in enumerate(self._spans))

    def _before(self, span: float) -> Odometry:
        """Return the newest pose before the last one that is older than it by a span [s]."""
        poses = self._poses
        latest_ns = poses[-1].stamp_ns - 1e9 * span
        return next((poses[i] for i in range(len(poses) - 2, -1, -1)
                     if poses[i].stamp_ns <= latest_ns), poses[0])


def _between(start: Odometry, end: Odometry) -> tuple[float, float]:
    """Return the mean speed [m/s] and yaw rate [rad/s] from one pose to another."""
    seconds = 1e-9 * (end.stamp_ns - start.stamp_ns)
    turn = math.remainder(end.yaw - start.yaw, math.tau)
    middle = start.yaw + 0.5 * turn
    forward = math.cos(middle) * (end.x - start.x) + math.sin(middle) * (end.y - start.y)
    return forward / seconds, turn / seconds
