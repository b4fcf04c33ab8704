"""Arguments that several commands have, and the JSON file of their numbers."""

import argparse
from collections.abc import Iterable
from dataclasses import fields, replace
import json
import math
from pathlib import Path
import sys
from typing import Any

from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.paths import default_model
from lstm_predictor.recordings import rosbag_io
from lstm_predictor.recordings.rosbag_io import Topics
from lstm_predictor.recordings.storage import name_of
from lstm_predictor.robot_profiles import load, Profile, ProfileError


def add_topics(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the predictor's input topics in a recording."""
    parser.add_argument('--robot', type=_robot, metavar='NAME',
                        help='take the topics of a profile in config/robots, or of such a file')
    for item in fields(Topics)[:3]:
        name = item.name.replace('_', '-')
        parser.add_argument(f'--{name}-topic', help=f'default: that of --robot or {item.default}')


def topics_of(given: argparse.Namespace) -> Topics:
    """
    Return the topics that the user gave, or else those of the robot, or else the defaults.

    Those that the user gave must exist in the recording.
    """
    robot = given.robot
    usual = Topics() if robot is None else Topics(*map(_absolute, (
        robot.odom_topic, robot.imu_topic, robot.cmd_vel_topic)))
    named = {name: _absolute(topic) for name in ('odom', 'imu', 'cmd_vel')
             if (topic := getattr(given, f'{name}_topic'))}
    return replace(usual, **named, named=frozenset(named))


def _absolute(topic: str) -> str:
    """Return a topic as recordings have it."""
    return f'/{topic.lstrip("/")}'


def print_findings(path: Path, findings: Iterable[str]) -> None:
    """Print what was unusual in a recording, one line each."""
    for text in findings:
        print(f'{name_of(path)}: {text}', file=sys.stderr)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the model file."""
    parser.add_argument('--model', type=Path, default=Path(default_model()),
                        help='model file (default: models/turtlebot3.pt of the package)')


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options for the limits of the robot in a recording."""
    parser.add_argument('--max-speed', type=positive,
                        help='of the robot [m/s] (default: the largest in the recording)')
    parser.add_argument('--max-yaw-rate', type=positive, help='of the robot [rad/s]; likewise')


def limits_of(given: argparse.Namespace, readings: Iterable[Odometry | Imu | Command]
              ) -> tuple[float, float]:
    """Return the robot's limits [m/s], [rad/s]: the user's, or the largest in the recording."""
    speed, yaw_rate = rosbag_io.limits_of(readings)
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
    """Return numbers as JSON has them, with null for those that are not finite."""
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
