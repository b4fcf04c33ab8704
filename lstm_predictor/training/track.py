"""The readings of one drive of one robot, simulated or recorded."""

from dataclasses import dataclass, field
import math

from lstm_predictor.common.readings import Command, Imu, Odometry


@dataclass(frozen=True)
class Track:
    """Readings as the robot's computer received them, and what is known about the robot."""

    name: str
    readings: list[Odometry | Imu | Command]
    max_speed: float = math.inf  # of the robot, as configured [m/s]
    max_yaw_rate: float = math.inf  # [rad/s]
    # Only of a simulated robot.
    delay: float = math.nan  # input delay [s]
    lag: float = math.nan  # of the motors [s]
    # [stamp_ns, x [m], y [m], yaw [rad]] of the odometry without its noise.
    expected: list[tuple[float, ...]] = field(default_factory=list)
