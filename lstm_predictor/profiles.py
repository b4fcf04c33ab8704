"""
Where robots differ: `config/robots/`, one file each, and what the nodes make of it.

No ROS here, so that launch files, command lines and tests read the same profile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
import math
from pathlib import Path
from typing import Any, get_type_hints

from lstm_predictor.core.limiter import Limits, Triple
from lstm_predictor.paths import share

import yaml

_KINDS = {str: 'text', bool: 'true or false', float: 'a number',
          Triple: 'three numbers [x, y, yaw rate]'}


class ProfileError(ValueError):
    """A profile that cannot be used; its text is one line that says why."""


@dataclass(frozen=True)
class Profile:
    """One kind of robot. There are no defaults: a file that forgets something is not a profile."""

    description: str  # in words
    model: str  # file in models/ that the predictor loads
    max_velocity: Triple  # [m/s], [m/s], [rad/s]
    min_velocity: Triple  # [m/s], [m/s], [rad/s]
    max_accel: Triple  # away from zero [m/s^2], [m/s^2], [rad/s^2]
    max_decel: Triple  # towards zero [m/s^2], [m/s^2], [rad/s^2]
    wheel_radius: float  # [m]
    wheel_separation: float  # between the middles of left and right [m]
    odom_frame: str  # of the odometry's header
    base_frame: str  # child frame of the odometry
    imu_frame: str
    odom_topic: str
    imu_topic: str
    cmd_vel_topic: str  # what the robot obeys
    cmd_vel_type: str  # Twist or TwistStamped
    cmd_vel_type_humble: str  # the same where ROS_DISTRO is humble
    reliability: str  # of odometry and IMU: reliable or best_effort
    odom_rate: float  # [Hz]
    imu_rate: float  # [Hz]
    command_quantum: float  # to which commands are cut toward zero, 0: none [m/s], [rad/s]
    command_timeout: float  # silence after which the robot stops by itself, 0: never [s]
    odometry_source: str  # where its heading is from: imu or wheels
    encoder_period: float  # at which encoders are refreshed, 0: always [s]
    joint_lag: float  # by which the angles of the wheels are late [s]
    yaw_rate_spikes: bool  # in the odometry, where the yaw wraps
    covariances: bool  # whether the odometry has any
    clock_offset: bool  # whether the robot's base has a clock of its own

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        Limits(self.max_velocity, self.min_velocity, self.max_accel, self.max_decel)
        for name in ('wheel_radius', 'wheel_separation', 'odom_rate', 'imu_rate'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive and finite, is {getattr(self, name)}')
        for name in ('command_quantum', 'command_timeout', 'encoder_period', 'joint_lag'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be 0 or positive, is {getattr(self, name)}')
        for name, allowed in (('cmd_vel_type', ('Twist', 'TwistStamped')),
                              ('cmd_vel_type_humble', ('Twist', 'TwistStamped')),
                              ('reliability', ('reliable', 'best_effort')),
                              ('odometry_source', ('imu', 'wheels'))):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f'{name} must be {" or ".join(allowed)}, is {getattr(self, name)!r}')
        for name in ('model', 'odom_frame', 'base_frame', 'imu_frame', 'odom_topic', 'imu_topic',
                     'cmd_vel_topic'):
            if not getattr(self, name):
                raise ValueError(f'{name} must not be empty')

    def stops_by_itself(self) -> bool:
        """Return whether the robot stops when commands cease."""
        return self.command_timeout > 0.0

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
            quantum = self.command_quantum
            return {**limits, **model, 'command_quantum': [quantum, 0.0, quantum]}
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
                'odom_frame', 'base_frame', 'imu_frame', 'command_quantum', 'odometry_source',
                'encoder_period', 'joint_lag', 'yaw_rate_spikes', 'odom_rate', 'imu_rate')},
        }


def names() -> list[str]:
    """Return the names of the robots that have a profile."""
    return sorted(path.stem for path in (share() / 'config' / 'robots').glob('*.yaml'))


def load(robot: str) -> Profile:
    """Return the profile of that name or in that file; raise ProfileError where it is wrong."""
    path = Path(robot) if robot.endswith('.yaml') else \
        share() / 'config' / 'robots' / f'{robot}.yaml'
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ProfileError(f'robot "{robot}" is unknown: it must be {", ".join(names())}, or the '
                           f'path of a file like them that ends in .yaml') from None
    except OSError as error:
        raise ProfileError(f'{path}: {error.strerror}') from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileError(f'{path} is not YAML: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise ProfileError(f'{path}: expected a mapping, found {content!r}')
    try:
        return Profile(**dict(_values(content)))
    except ValueError as error:
        raise ProfileError(f'{path}: {error}') from None


def _values(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and value of every field; ValueError names what is missing, unknown or wrong."""
    kinds = get_type_hints(Profile)
    known = [item.name for item in fields(Profile)]
    for name in content:
        if name not in known:
            raise ValueError(f'{name} is unknown; a profile has {", ".join(known)}')
    for name in known:
        if name not in content:
            raise ValueError(f'{name} is missing')
        value, kind = content[name], kinds[name]
        if kind == Triple and isinstance(value, list) and len(value) == 3 \
                and all(map(_is_number, value)):
            yield name, tuple(map(float, value))
        elif kind is float and _is_number(value):
            yield name, float(value)
        elif kind in (str, bool) and isinstance(value, kind):
            yield name, value
        else:
            raise ValueError(f'{name} must be {_KINDS[kind]}, is {value!r}')


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
