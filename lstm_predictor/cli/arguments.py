"""What the command lines share: kinds of arguments, topics, the file with the numbers."""

import argparse
from collections.abc import Iterable
from dataclasses import fields
import json
import math
from pathlib import Path
from typing import Any

from lstm_predictor import bags
from lstm_predictor.bags import Topics
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.paths import default_model
from lstm_predictor.profiles import load, Profile, ProfileError


def add_topics(parser: argparse.ArgumentParser) -> None:
    """Let the user say under which names a recording has what the predictor hears."""
    parser.add_argument('--robot', type=_robot, metavar='NAME',
                        help='take the topics of a profile in config/robots, or of such a file')
    for item in fields(Topics):
        name = item.name.replace('_', '-')
        parser.add_argument(f'--{name}-topic', help=f'default: that of --robot or {item.default}')


def topics_of(given: argparse.Namespace) -> Topics:
    """Return the names that the user gave, or else those of the robot, or else the usual ones."""
    robot = given.robot
    usual = Topics() if robot is None else Topics(*(
        f'/{name.lstrip("/")}'
        for name in (robot.odom_topic, robot.imu_topic, robot.cmd_vel_topic)))
    return Topics(given.odom_topic or usual.odom, given.imu_topic or usual.imu,
                  given.cmd_vel_topic or usual.cmd_vel)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Let the user name another model file."""
    parser.add_argument('--model', type=Path, default=Path(default_model()),
                        help='model file (default: models/turtlebot3.pt of the package)')


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Let the user say how fast the robot of a recording may be."""
    parser.add_argument('--max-speed', type=positive,
                        help='of the robot [m/s] (default: the largest in the recording)')
    parser.add_argument('--max-yaw-rate', type=positive, help='of the robot [rad/s]; likewise')


def limits_of(given: argparse.Namespace, readings: Iterable[Odometry | Imu | Command]
              ) -> tuple[float, float]:
    """Return the robot's largest speed [m/s] and yaw rate [rad/s]: the user's, or those seen."""
    speed, yaw_rate = bags.limits_of(readings)
    return given.max_speed or speed, given.max_yaw_rate or yaw_rate


def _robot(text: str) -> Profile:
    """Return the profile of that name; argparse tells the user where there is none."""
    try:
        return load(text)
    except ProfileError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def write_groups(file: Path, groups: dict[str, Any]) -> None:
    """Write the numbers of a table as JSON."""
    write_json(file, {'groups': groups})


def write_json(file: Path, numbers: dict[str, Any]) -> None:
    """Write numbers in a folder that need not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(_finite(numbers), indent=1))


def _finite(numbers: Any) -> Any:
    """Return numbers as JSON knows them: None where there is none."""
    if isinstance(numbers, dict):
        return {name: _finite(value) for name, value in numbers.items()}
    if isinstance(numbers, (list, tuple)):
        return [_finite(value) for value in numbers]
    return None if isinstance(numbers, float) and not math.isfinite(numbers) else numbers


def _number(text: str, kind: type = float) -> Any:
    try:
        return kind(text)
    except ValueError:
        what = 'a whole number' if kind is int else 'a number'
        raise argparse.ArgumentTypeError(f'must be {what}, is {text}') from None


def positive(text: str) -> float:
    """Return a positive, finite number; argparse tells the user otherwise."""
    value = _number(text)
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'must be positive and finite, is {text}')
    return value


def not_negative(text: str) -> float:
    """Return a finite number that is zero or more; argparse tells the user otherwise."""
    value = _number(text)
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f'must not be negative, is {text}')
    return value


def positive_integer(text: str) -> int:
    """Return a positive whole number; argparse tells the user otherwise."""
    value = _number(text, int)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be 1 or more, is {text}')
    return value
