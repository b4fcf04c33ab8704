"""
Robot profiles: a YAML file per robot in `config/robots/`, and the parameters that follow from it.

No ROS here, so that launch files, command lines and tests read the same profile.
"""

from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

from lstm_predictor.common import config_io
from lstm_predictor.common.checks import (
    require_not_negative, require_one_of, require_positive, require_text)
from lstm_predictor.control.velocity_limiter import Limits, Triple
from lstm_predictor.paths import share

_RENAMED = {'command_quantum': 'command_resolution'}  # old names of fields and those since


class ProfileError(config_io.ConfigError):
    """A profile that cannot be used; its text is one line that says why."""


@dataclass(frozen=True)
class Profile:
    """One kind of robot; a file must name every field."""

    description: str  # in words
    model: str  # file in models/ that the predictor loads
    max_velocity: Triple  # [m/s], [m/s], [rad/s]
    min_velocity: Triple  # [m/s], [m/s], [rad/s]
    max_accel: Triple  # away from zero [m/s^2], [m/s^2], [rad/s^2]
    max_decel: Triple  # towards zero [m/s^2], [m/s^2], [rad/s^2]
    wheel_radius: float  # [m]
    odom_frame: str  # of the odometry's header
    base_frame: str  # child frame of the odometry
    imu_frame: str
    odom_topic: str
    imu_topic: str
    cmd_vel_topic: str  # what the robot obeys
    cmd_vel_type: str  # Twist or TwistStamped
    cmd_vel_type_humble: str  # the same where ROS_DISTRO is humble
    odom_rate: float  # [Hz]
    imu_rate: float  # [Hz]
    command_resolution: float  # to which commands are cut toward zero, 0: none [m/s], [rad/s]
    command_timeout: float  # silence after which the robot stops by itself, 0: never [s]
    velocity_timeout: float  # silence of the source after which the replanner stops it [s]
    odometry_source: str  # where its heading is from: imu or wheels
    encoder_period: float  # at which encoders are refreshed, 0: always [s]
    joint_lag: float  # by which the angles of the wheels are late [s]
    yaw_rate_spikes: bool  # in the odometry, where the yaw wraps

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        Limits(self.max_velocity, self.min_velocity, self.max_accel, self.max_decel)
        require_positive(self, 'wheel_radius', 'odom_rate', 'imu_rate', 'velocity_timeout')
        require_not_negative(self, 'command_resolution', 'command_timeout', 'encoder_period',
                             'joint_lag')
        require_one_of(self, ('Twist', 'TwistStamped'), 'cmd_vel_type', 'cmd_vel_type_humble')
        require_one_of(self, ('imu', 'wheels'), 'odometry_source')
        require_text(self, 'model', 'odom_frame', 'base_frame', 'imu_frame', 'odom_topic',
                     'imu_topic', 'cmd_vel_topic')

    def command_type(self, distro: str) -> str:
        """Return the type of the commands that it obeys under a ROS distribution."""
        return self.cmd_vel_type_humble if distro == 'humble' else self.cmd_vel_type

    def parameters(self, node: str) -> dict[str, Any]:
        """Return the parameters of a node that follow from the robot."""
        limits: dict[str, Any] = {
            name: list(getattr(self, name))
            for name in ('max_velocity', 'min_velocity', 'max_accel', 'max_decel')}
        model = {'model_path': str(share() / 'models' / self.model)}
        if node == 'predictor':
            return {'max_velocity': limits['max_velocity'], **model}
        if node == 'replanner':
            quantum = self.command_resolution
            return {**limits, **model, 'command_resolution': [quantum, 0.0, quantum],
                    'velocity_timeout': self.velocity_timeout}
        if node == 'command_guard':
            limits.pop('max_decel')  # it brakes at once
            return limits
        raise ValueError(f'no parameters of {node} follow from the robot')

    def sim_parameters(self, distro: str) -> dict[str, Any]:
        """Return the parameters that make the simulated Burger drive and report like it."""
        return {
            'cmd_vel_type': self.command_type(distro),
            'max_speed': self.max_velocity[0],
            'max_yaw_rate': self.max_velocity[2],
            'max_acceleration': self.max_accel[0],
            'max_yaw_acceleration': self.max_accel[2],
            **{name: getattr(self, name) for name in (
                'odom_frame', 'base_frame', 'imu_frame', 'command_resolution', 'odometry_source',
                'encoder_period', 'joint_lag', 'yaw_rate_spikes', 'odom_rate', 'imu_rate')},
        }


def names() -> list[str]:
    """Return the names of the robots that have a profile."""
    return sorted(path.stem for path in (share() / 'config' / 'robots').glob('*.yaml'))


def load(robot: str) -> Profile:
    """Return the profile of that name or in that file; raise ProfileError where it is wrong."""
    path = Path(robot) if robot.endswith('.yaml') else \
        share() / 'config' / 'robots' / f'{robot}.yaml'
    if not os.path.exists(path):
        raise ProfileError(f'robot "{robot}" is unknown: it must be {", ".join(names())}, or the '
                           f'path of a file like them that ends in .yaml')
    try:
        return config_io.load(Profile, path, complete=True, renamed=_RENAMED)
    except config_io.ConfigError as error:
        raise ProfileError(str(error)) from None
