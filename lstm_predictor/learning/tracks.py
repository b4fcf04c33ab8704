"""One drive of one robot, simulated or recorded, as its computer heard it."""

from dataclasses import dataclass, field
import math

from lstm_predictor.core.samples import Command, Imu, Odometry


@dataclass(frozen=True)
class Track:
    """Readings in order of time, and what is known about the robot."""

    name: str
    readings: list[Odometry | Imu | Command]
    max_speed: float = math.inf  # of the robot, as far as its user knows [m/s]
    max_yaw_rate: float = math.inf  # [rad/s]
    # Of a simulated robot alone.
    delay: float = math.nan  # from a command to the motors [s]
    lag: float = math.nan  # of the motors [s]
    # [stamp_ns, x [m], y [m], yaw [rad]] of the odometry without its noise.
    expected: list[tuple[float, ...]] = field(default_factory=list)
