"""Profiles of robots: complete, sourced, checked with one line that names file and field."""

from dataclasses import fields
from pathlib import Path
import re

from lstm_predictor import robot_profiles
from lstm_predictor.robot_profiles import Profile, ProfileError

import pytest

import yaml

ROBOTS = Path(__file__).parents[2] / 'config' / 'robots'
FILES = sorted(ROBOTS.glob('*.yaml'))
UNITS = {
    **dict.fromkeys(('max_velocity', 'min_velocity'), '[m/s], [m/s], [rad/s]'),
    **dict.fromkeys(('max_accel', 'max_decel'), '[m/s^2], [m/s^2], [rad/s^2]'),
    'wheel_radius': '[m]',
    **dict.fromkeys(('odom_rate', 'imu_rate'), '[Hz]'),
    **dict.fromkeys(('command_timeout', 'velocity_timeout', 'encoder_period', 'joint_lag'), '[s]'),
    'command_resolution': '[m/s] and [rad/s]',
}
each_file = pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)


@pytest.fixture
def edited(tmp_path):
    """Return a function that loads the Burger's profile with some of its text replaced."""
    def load(old, new):
        text = (ROBOTS / 'turtlebot3_burger.yaml').read_text()
        assert text.count(old) == 1
        file = tmp_path / 'edited.yaml'
        file.write_text(text.replace(old, new))
        return robot_profiles.load(str(file))
    return load


@each_file
def test_profile_loads_by_its_path(path):
    profile = robot_profiles.load(str(path))
    assert profile.description
    assert (ROBOTS.parents[1] / 'models' / profile.model).is_file()


def test_the_robots_of_the_issue_have_one():
    assert {'turtlebot3_burger', 'turtlebot3_waffle', 'turtlebot3_waffle_pi', 'turtlebot4',
            'husky', 'generic'} == {path.stem for path in FILES}


@each_file
def test_every_value_has_its_unit_and_a_source_that_the_head_lists(path):
    text = path.read_text()
    sources = set(re.findall(r'^#   ([\w-]+): \S', text, re.M))
    named = set()
    for name, comment in re.findall(r'^(\w+): [^#\n]+(#.*)?$', text, re.M):
        if name == 'description':
            continue
        assert UNITS.get(name, '') in comment, name
        cited = {word for word in re.findall(r'[\w-]+', comment) if word in sources}
        assert cited, f'{name}: {comment}'
        named |= cited
    assert named == sources


@pytest.mark.parametrize('old, new, said', [
    ('odom_rate: 20.0', 'odom_rate: 0.0', 'odom_rate must be positive and finite, is 0.0'),
    ('odom_rate: 20.0', 'odom_rate: fast', "odom_rate must be a number, is 'fast'"),
    ('odom_rate: 20.0', 'odom_rate: true', 'odom_rate must be a number, is True'),
    ('odom_rate: 20.0', 'odom_rat: 20.0', 'odom_rat does not exist; there is description'),
    ('command_resolution', 'command_quantum', 'command_quantum is now called command_resolution'),
    ('yaw_rate_spikes: true', '# nothing', 'yaw_rate_spikes is missing'),
    ('yaw_rate_spikes: true', 'yaw_rate_spikes: 1', 'yaw_rate_spikes must be true or false, is 1'),
    ('[0.22, 0.0, 2.84]', '[0.22, 2.84]',
     'max_velocity must be a list of 3 numbers, is [0.22, 2.84]'),
    ('[0.22, 0.0, 2.84]', '[-0.22, 0.0, 2.84]', 'max_velocity must be three positive numbers'),
    ('cmd_vel_type: TwistStamped', 'cmd_vel_type: Wrench',
     "cmd_vel_type must be Twist or TwistStamped, is 'Wrench'"),
    ('command_timeout: 0.0', 'command_timeout: -1.0', 'command_timeout must be 0 or positive'),
    ('velocity_timeout: 0.7', 'velocity_timeout: 0.0', 'velocity_timeout must be positive'),
    ('odom_topic: odom', "odom_topic: ''", 'odom_topic must not be empty'),
    ('description: TurtleBot3 Burger', 'description: [', 'is not YAML'),
])
def test_error_is_one_line_that_names_file_and_field(edited, old, new, said):
    with pytest.raises(ProfileError) as error:
        edited(old, new)
    text = str(error.value)
    assert 'edited.yaml' in text
    assert said in text
    assert '\n' not in text


def test_unknown_robot_is_named_with_those_there_are():
    with pytest.raises(ProfileError, match='"tricycle" is unknown: it must be .*turtlebot4'):
        robot_profiles.load('tricycle')


def test_file_with_something_else_is_named(tmp_path):
    (tmp_path / 'list.yaml').write_text('- 1\n')
    with pytest.raises(ProfileError, match='list.yaml: expected a mapping'):
        robot_profiles.load(str(tmp_path / 'list.yaml'))


def test_whole_numbers_are_numbers(edited):
    assert edited('odom_rate: 20.0', 'odom_rate: 20').odom_rate == 20.0


def test_commands_are_stamped_from_jazzy_on():
    profile = robot_profiles.load(str(ROBOTS / 'turtlebot4.yaml'))
    assert profile.command_type('humble') == 'Twist'
    assert {profile.command_type(distro) for distro in ('jazzy', 'kilted', 'lyrical', '')} \
        == {'TwistStamped'}


@pytest.mark.parametrize('robot', ['burger', 'waffle', 'waffle_pi'])
@pytest.mark.parametrize('first_repeat', [0.5, 0.66])
def test_a_held_key_drives_a_turtlebot3_without_a_stutter(robot, first_repeat):
    from lstm_predictor.common.readings import Command
    from lstm_predictor.control.compensator import Compensator, ReplannerConfig
    from lstm_predictor.control.watchdog import Watchdog, WatchdogConfig
    profile = robot_profiles.load(str(ROBOTS / f'turtlebot3_{robot}.yaml'))
    replanner, guard = Compensator(ReplannerConfig(velocity_timeout=profile.parameters(
        'replanner')['velocity_timeout'])), Watchdog(WatchdogConfig())
    pressed = [0.0, *(first_repeat + index / 25.0 for index in range(20))]  # [s]
    speeds = []
    for step in range(60):
        steady = 0.001 + 0.05 * step  # as the replanner's timer has it [s]
        while pressed and pressed[0] <= steady:
            replanner.set_upstream(Command(0, 0.15, 0.0), pressed.pop(0))
        output = replanner.output(steady)
        guard.take(Command(0, output.speed, output.yaw_rate), steady)
        # and the guard's own timer just before the next command
        speeds.append([guard.output(steady)[0], guard.output(steady + 0.049)[0]])
    held, released = speeds[5:round(20 * first_repeat) + 20], speeds[-5:]
    assert min(map(min, held)) > 0.1
    assert max(map(max, released)) == 0.0  # and it stops once the key is let go


@pytest.mark.ros
@each_file
def test_nodes_take_what_follows_from_the_robot(path):
    pytest.importorskip('rclpy')
    pytest.importorskip('mujoco')
    from lstm_predictor.control.compensator import ReplannerConfig
    from lstm_predictor.control.watchdog import WatchdogConfig
    from lstm_predictor.nodes.predictor_node import PredictorNodeConfig
    from lstm_predictor.nodes.replanner_node import ReplannerNodeConfig
    from lstm_predictor.nodes.sim_node import SimNodeConfig
    from lstm_predictor.prediction.predictor import PredictorConfig
    from lstm_predictor.simulation.robot_config import RobotConfig
    profile = robot_profiles.load(str(path))
    for node, kinds in (('predictor', (PredictorConfig, PredictorNodeConfig)),
                        ('replanner', (ReplannerConfig, ReplannerNodeConfig)),
                        ('command_guard', (WatchdogConfig,))):
        assert_taken(profile.parameters(node), kinds)
    assert_taken(profile.sim_parameters('jazzy'), (SimNodeConfig, RobotConfig))


def test_default_of_the_nodes_is_the_burger():
    bringup = yaml.safe_load((ROBOTS.parent / 'bringup.yaml').read_text())
    profile = robot_profiles.load(str(ROBOTS / 'turtlebot3_burger.yaml'))
    for node in ('predictor', 'replanner', 'command_guard'):
        of_robot = profile.parameters(node)
        of_robot.pop('model_path', None)  # empty in the file: the same model
        # 0 in the file: a robot that is not known truncates nothing
        of_robot.pop('command_resolution', None)
        of_robot.pop('velocity_timeout', None)  # less in the file: it is for any robot
        in_file = bringup[f'/**/{node}']['ros__parameters']
        assert of_robot == {name: in_file[name] for name in of_robot}


def assert_taken(parameters, kinds):
    """Build the dataclasses from the parameters; each has a field of the same type."""
    left = dict(parameters)
    for kind in kinds:
        own = {item.name: left.pop(item.name) for item in fields(kind) if item.name in left}
        defaults = kind()
        for name, value in own.items():
            default = getattr(defaults, name)
            assert type(value) is (list if isinstance(default, tuple) else type(default)), name
        kind(**{name: tuple(value) if isinstance(value, list) else value
                for name, value in own.items()})
    assert not left


def test_profile_has_no_defaults():
    with pytest.raises(TypeError):
        Profile()
