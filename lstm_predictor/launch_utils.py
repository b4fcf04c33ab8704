"""Functions for the launch files, which alone import it: it needs ROS 2's launch."""

import os
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory, PackageNotFoundError

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration

from launch_ros.parameter_descriptions import ParameterValue

from lstm_predictor.robot_profiles import load, names, Profile

import yaml

BOOLEANS = ['true', 'false', 'True', 'False']
TURTLEBOT3 = ('burger', 'waffle', 'waffle_pi')

# Humble's own ros_gz is for a Gazebo older than Harmonic.
_IN_HUMBLE = dict.fromkeys(('ros_gz_sim', 'ros_gz_bridge'), 'ros-humble-ros-gzharmonic')


def distro() -> str:
    """Return the ROS distribution that is sourced, such as jazzy."""
    return os.environ.get('ROS_DISTRO', '')


def share_of(package: str) -> Path:
    """Return the share folder of a package; RuntimeError says what to install."""
    try:
        return Path(get_package_share_directory(package))
    except PackageNotFoundError:
        debian = f'ros-{distro() or "$ROS_DISTRO"}-{package.replace("_", "-")}'
        if distro() == 'humble':
            debian = _IN_HUMBLE.get(package, debian)
        raise RuntimeError(
            f'{package} is not installed: sudo apt install {debian}') from None


def include(package: str, name: str, **arguments: Any) -> IncludeLaunchDescription:
    """Return the launch file of that name in a package; RuntimeError says what is missing."""
    file = share_of(package) / 'launch' / name
    if not file.is_file():
        raise RuntimeError(f'{package} has no launch file {name} in {file.parent}')
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(file)), launch_arguments=arguments.items())


def robot_argument(default: Any, source: str = '') -> DeclareLaunchArgument:
    """Return the argument that names the robot's profile."""
    return DeclareLaunchArgument(
        'robot', default_value=default,
        description=f'Profile of the robot, with its limits and topics: {", ".join(names())}, or '
                    f'the path of a YAML file like those in config/robots{source}')


def model_argument() -> DeclareLaunchArgument:
    """Return the argument that says which TurtleBot3 it is."""
    return DeclareLaunchArgument(
        'model', default_value=os.environ.get('TURTLEBOT3_MODEL', ''),
        description=f'{", ".join(TURTLEBOT3[:-1])} or {TURTLEBOT3[-1]}. '
                    f'Default: the environment variable TURTLEBOT3_MODEL')


def guard_argument(default: str, reason: str) -> DeclareLaunchArgument:
    """Return the argument that puts the command guard behind the replanner."""
    return DeclareLaunchArgument(
        'command_guard', default_value=default, choices=BOOLEANS,
        description=f'Put a process behind the replanner that stops the robot when commands '
                    f'cease, whichever process died{reason}')


def given(context: LaunchContext, name: str) -> str:
    """Return the text of an argument, which is declared by now."""
    return LaunchConfiguration(name).perform(context)


def is_true(context: LaunchContext, name: str) -> bool:
    """Return the value of an argument that is one of BOOLEANS."""
    return given(context, name).lower() == 'true'


def number(context: LaunchContext, name: str, kind: type = float) -> Any:
    """Return the value of an argument, None where it is empty; RuntimeError names it."""
    text = given(context, name)
    try:
        return kind(text) if text else None
    except ValueError:
        raise RuntimeError(f'{name} "{text}" is not a number ({kind.__name__})') from None


def profile_of(context: LaunchContext) -> Profile:
    """Return the profile that the argument `robot` names; ProfileError says what is wrong."""
    return load(given(context, 'robot'))


def topic(context: LaunchContext, name: str) -> str:
    """Return the name of a topic as the argument has it, or the profile where it is empty."""
    of_profile = 'cmd_vel_topic' if name == 'cmd_vel_out_topic' else name
    return given(context, name) or str(getattr(profile_of(context), of_profile))


def turtlebot3_model(context: LaunchContext) -> str:
    """Return which TurtleBot3 the argument `model` names; RuntimeError says what to do."""
    model = given(context, 'model')
    if model not in TURTLEBOT3:
        raise RuntimeError(f'model "{model}" is no TurtleBot3: set TURTLEBOT3_MODEL to '
                           f'{", ".join(TURTLEBOT3[:-1])} or {TURTLEBOT3[-1]}')
    return model


def read_yaml(file: str, argument: str) -> dict[str, Any]:
    """Return what a YAML file holds; RuntimeError names it, and the argument that it is from."""
    try:
        content = yaml.safe_load(Path(file).read_text())
    except OSError:
        raise RuntimeError(f'{argument} "{file}" is not a file') from None
    except yaml.YAMLError as error:
        raise RuntimeError(
            f'{argument} "{file}" is not YAML: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise RuntimeError(f'{argument} "{file}" has no parameters')
    return content


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return nested parameters with others over them."""
    return {**base, **{
        name: merged(base[name], value)
        if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in over.items()}}


def written(name: str, text: str) -> str:
    """Return the path of a new file with that text, which lies with the logs of this launch."""
    path = Path(launch_config.log_dir) / name
    path.write_text(text)
    return str(path)


def boolean(name: str) -> ParameterValue:
    """Return an argument as a parameter that is true or false."""
    return ParameterValue(LaunchConfiguration(name), value_type=bool)


def layers(context: LaunchContext, base: str, of_robot: dict[str, Any], argument: str
           ) -> list[Any]:
    """
    Return the parameters of a node, those that count most last.

    These are a file in config/, what follows from the robot, and the user's own file, named by
    an argument.
    """
    file = given(context, argument)
    if file and not os.path.isfile(file):
        # launch_ros itself would warn and go on with defaults that are not the user's
        raise RuntimeError(f'{argument} "{file}" is not a file')
    return [str(share_of('lstm_predictor') / 'config' / base), of_robot, *([file] if file else [])]
