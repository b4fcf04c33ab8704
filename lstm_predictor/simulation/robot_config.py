"""The parameters in which simulated robots differ, and their ranges."""

from dataclasses import dataclass, fields

# The smallest and the largest value of each number; outside, the physics is not trustworthy.
_RANGES = {
    'command_delay': (0.0, 10.0),
    'motor_lag': (0.0, 10.0),
    'speed_gain': (0.0, 3.0),
    'yaw_rate_gain': (0.0, 3.0),
    'dead_band': (0.0, 1.0),
    'command_resolution': (0.0, 1.0),
    'max_speed': (0.01, 3.0),
    'max_yaw_rate': (0.01, 10.0),
    'max_acceleration': (0.01, 30.0),
    'max_yaw_acceleration': (0.01, 300.0),
    'deceleration_ratio': (0.1, 10.0),
    'motor_torque': (0.01, 2.0),
    'payload': (0.0, 5.0),
    'payload_x': (-0.081, 0.0),
    'payload_y': (-0.080, 0.080),
    'payload_height': (0.0, 0.5),
    'friction': (0.01, 2.0),
    'slip_patch_share': (0.0, 0.95),
    'slip_patch_friction': (0.01, 2.0),
    'slip_patch_radius': (0.02, 1.0),
    'left_radius_error': (-0.2, 0.2),
    'right_radius_error': (-0.2, 0.2),
    'separation_error': (-0.2, 0.2),
    'encoder_period': (0.0, 0.1),
    'joint_lag': (0.0, 0.5),
    'odometry_noise': (0.0, 0.1),
    'gyro_noise': (0.0, 1.0),
    'gyro_bias': (-1.0, 1.0),
    'acceleration_noise': (0.0, 10.0),
    'odom_rate': (1.0, 400.0),
    'imu_rate': (1.0, 400.0),
}


@dataclass(frozen=True)
class RobotConfig:
    """
    One robot and the floor it drives on; the default is a good Burger on a good floor.

    Raise ValueError, with the field and its value, for anything out of range.
    """

    # From the command to the wheel.
    command_delay: float = 0.0  # [s] input delay until a command reaches the motors
    motor_lag: float = 0.05  # [s] time constant with which the motors approach a command
    speed_gain: float = 1.0  # [-] speed of the wheels over the commanded speed
    yaw_rate_gain: float = 1.0  # [-] yaw rate of the wheels over the commanded one
    dead_band: float = 0.0  # [m/s] speed below which a wheel does not move
    command_resolution: float = 0.01  # [m/s] and [rad/s], truncated toward zero; 0 is off
    max_speed: float = 0.22  # [m/s]
    max_yaw_rate: float = 2.84  # [rad/s]
    max_acceleration: float = 2.5  # [m/s^2]
    max_yaw_acceleration: float = 25.0  # [rad/s^2]
    deceleration_ratio: float = 1.0  # [-] both limits when slowing down, over those above
    motor_torque: float = 0.2  # [N m] of one wheel, at most

    # Body and floor.
    payload: float = 0.0  # [kg]
    payload_x: float = -0.032  # [m] forward of the axle
    payload_y: float = 0.0  # [m] to the left of the middle
    payload_height: float = 0.1  # [m] above the floor
    friction: float = 1.0  # [-] of the wheels on the floor
    slip_patch_share: float = 0.0  # [-] fraction of the floor that is slippery
    slip_patch_friction: float = 0.05  # [-] of the wheels on a slippery disc
    slip_patch_radius: float = 0.15  # [m] of a slippery disc
    left_radius_error: float = 0.0  # [-] true radius of the wheel over the nominal one, less 1
    right_radius_error: float = 0.0  # [-]
    separation_error: float = 0.0  # [-] true distance of the wheels over the nominal one, less 1

    # Sensors.
    odometry_source: str = 'imu'  # of the heading in the odometry: 'imu' or 'wheels'
    encoder_period: float = 0.0  # [s] at which encoders are refreshed; 0: at every reading
    joint_lag: float = 0.0  # [s] delay of the angles of the wheel joints
    yaw_rate_spikes: bool = False  # spikes of a whole turn in the odometry where the yaw wraps
    odometry_noise: float = 0.0  # [sqrt(m)] deviation of a wheel's distance after 1 m
    gyro_noise: float = 0.0002  # [rad/s] deviation of one reading, each axis
    gyro_bias: float = 0.0  # [rad/s] constant error of the yaw rate, from which the heading drifts
    acceleration_noise: float = 0.017  # [m/s^2] deviation of one reading, each axis
    odom_rate: float = 30.0  # [Hz] of odometry and wheel joints
    imu_rate: float = 200.0  # [Hz]

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name in _RANGES):
            low, high = _RANGES[name]
            value = getattr(self, name)
            if not isinstance(value, (int, float)):
                raise ValueError(f'{name} is {value!r}; it must be a number')
            if not low <= value <= high:
                raise ValueError(f'{name} is {value:g}; it must lie in [{low:g}, {high:g}]')
        if self.odometry_source not in ('imu', 'wheels'):
            raise ValueError(
                f"odometry_source is {self.odometry_source!r}; it must be 'imu' or 'wheels'")
        if abs(self.payload_y) / 0.080 - self.payload_x / 0.081 > 1.0:
            raise ValueError(
                f'payload at x = {self.payload_x:g}, y = {self.payload_y:g} m would tip the robot;'
                ' it must stand between the wheels and the caster')
