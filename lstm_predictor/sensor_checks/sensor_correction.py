"""
Online detection and correction of systematic sensor errors of odometry twist and IMU.

Robots report velocities in the wrong frame or unit, and carry an IMU that is tilted or upside
down. The poses of the odometry are the reference, since predictions are scored by them. Each
reading is processed once, in the order of receipt, in constant memory.
"""

from collections import deque
import itertools
from typing import NamedTuple

from lstm_predictor.common.readings import Command, Imu, InvalidMessage, Odometry
from lstm_predictor.sensor_checks.imu_check import ImuCheck, Mounting
from lstm_predictor.sensor_checks.intervals import Intervals
from lstm_predictor.sensor_checks.pose_check import PoseCheck
from lstm_predictor.sensor_checks.twist_check import TwistCheck

Reading = Odometry | Imu | Command


class Known(NamedTuple):
    """Findings that decide how readings are corrected."""

    wrong: tuple[bool, bool] = (False, False)  # speed and yaw rate of the twist
    mounting: Mounting = Mounting()


class SensorCorrection:
    """Returns the corrected reading for each reading, and the findings so far."""

    def __init__(self, span_ns: int, known: Known = Known()) -> None:
        """Keep `span_ns` of readings, to correct them should something be found later."""
        self._span_ns = span_ns
        self._first = known
        self._intervals, self._poses = Intervals(), PoseCheck()
        self._twist, self._imu = TwistCheck(), ImuCheck()
        self._recent: deque[Odometry | Imu] = deque()  # as they came
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        for check in (self._intervals, self._poses, self._twist, self._imu):
            check.reset()
        self._twist.believe(self._first.wrong)
        self._imu.mounting = self._first.mounting
        self._recent.clear()
        self.changed = False  # whether earlier readings are to be corrected anew

    def begin_anew(self) -> None:
        """Go on after a jump of time or pose; findings about the sensors are kept."""
        self._intervals.reset()
        self._poses.forget_poses()
        self._twist.forget_poses()
        self._recent.clear()

    @property
    def known(self) -> Known:
        """The findings so far."""
        return Known(self._twist.wrong, self._imu.mounting)

    @property
    def frozen_since_ns(self) -> int:
        """Stamp [ns] from which on the poses are frozen, 0 while they are not."""
        return self._poses.frozen_since_ns

    def use(self, reading: Reading) -> Reading | None:
        """
        Return the corrected reading, None where it is not to be used.

        Raise InvalidMessage for odometry whose pose is frozen.
        """
        if isinstance(reading, Command):
            return reading
        if isinstance(reading, Imu):
            self._keep(reading)
            self._intervals.add_imu(reading)
            return self._imu.use(reading)
        self._poses.take(reading)
        self._keep(reading)
        before = self.known
        interval = self._intervals.add(reading)
        if interval is not None:
            self._twist.take(interval)
            self._imu.take(interval)
            self.changed = self.changed or self.known != before
        return self._twist.use(reading)

    def again(self) -> list[Odometry | Imu]:
        """Return the corrected readings of the last span, without the newest."""
        self.changed = False
        twist = self._twist.like_this()
        used = [twist.use(reading) if isinstance(reading, Odometry) else self._imu.use(reading)
                for reading in itertools.islice(self._recent, len(self._recent) - 1)]
        return [reading for reading in used if reading is not None]

    def findings(self) -> dict[str, str]:
        """Return findings and corrections as text, by input and field."""
        return {**self._twist.findings(), **self._poses.findings(), **self._imu.findings()}

    def _keep(self, reading: Odometry | Imu) -> None:
        recent = self._recent
        recent.append(reading)
        # One stamp of another time must not be kept for that long.
        while abs(reading.stamp_ns - recent[0].stamp_ns) > self._span_ns:
            recent.popleft()


def used_of_drive(readings: list[Reading]) -> tuple[list[Reading], list[str]]:
    """
    Return the corrected readings of a recorded drive, and the findings as lines.

    Findings hold for the whole drive: it is processed a second time with those of its end.
    """
    found: dict[str, str] = {}
    first = SensorCorrection(0)
    for reading in readings:
        try:
            first.use(reading)
        except InvalidMessage as error:
            found['odom:'] = str(error)
        found.update(first.findings())
    second, used, frozen = SensorCorrection(0, first.known), [], []
    for reading in readings:
        try:
            taken = second.use(reading)
        except InvalidMessage:
            frozen.append((second.frozen_since_ns, reading.stamp_ns))
            continue
        if taken is not None:
            used.append(taken)
    return [reading for reading in used if not isinstance(reading, Odometry) or not any(
        since < reading.stamp_ns <= until for since, until in frozen)], lines(found)


def lines(findings: dict[str, str]) -> list[str]:
    """Return findings as a line each."""
    return [f'{about} {text}' for about, text in findings.items()]
