"""What the launch files give to the nodes, and that `ros2 launch` brings them up and down."""

import ast
import os
from pathlib import Path
import runpy
import shutil
import signal
import subprocess
import sys
import time
from unittest import mock

from lstm_predictor.robot_profiles import load as load_profile

import pytest

import yaml

try:
    from launch import LaunchContext
    from launch.actions import ExecuteProcess
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch.logging import launch_config
    from launch.utilities import perform_substitutions
    import launch_ros  # noqa: F401
    from lifecycle_msgs.srv import GetState
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    HAVE_LAUNCH = True
except ImportError:
    HAVE_LAUNCH = False

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILES = sorted(path.name for path in (ROOT / 'launch').glob('*.launch.py'))
ROBOTS = sorted(path.stem for path in (ROOT / 'config' / 'robots').glob('*.yaml'))
EXECUTABLES = {
    'bringup.launch.py': {'predictor', 'replanner'},
    'simulation.launch.py': {'predictor', 'replanner', 'sim'},
    'turtlebot3.launch.py': {'predictor', 'replanner', 'command_guard'},
    'turtlebot4.launch.py': {'predictor', 'replanner'},
}
DEFAULTS = {
    'robot': 'turtlebot3_burger',
    'namespace': '',
    'params_file': '',
    'use_sim_time': 'false',
    'model_path': '',
    'autostart': 'true',
    'command_guard': 'false',
    'log_level': 'info',
    'odom_topic': '',
    'imu_topic': '',
    'cmd_vel_topic': '',
    'cmd_vel_in_topic': 'cmd_vel_in',
    'cmd_vel_out_topic': '',
}
SIMULATION_DEFAULTS = {
    **DEFAULTS,
    'use_sim_time': 'true',
    'sim_params_file': '',
    'real_time_factor': '',
    'command_delay': '',
    'slip_patch_share': '',
    'seed': '',
}
TURTLEBOT3_DEFAULTS = {
    **DEFAULTS,
    'model': 'waffle',
    'robot': 'turtlebot3_waffle',
    'command_guard': 'true',
    'robot_bringup': 'false',
    'usb_port': '/dev/ttyACM0',
}
TURTLEBOT4_DEFAULTS = {**DEFAULTS, 'robot': 'turtlebot4', 'namespace': 'robot7'}
OTHER_VALUES = {
    'robot': 'turtlebot4',
    'namespace': 'robot1',
    'params_file': __file__,
    'use_sim_time': 'True',
    'model_path': 'other.pt',
    'autostart': 'false',
    'command_guard': 'true',
    'log_level': 'debug',
    'odom_topic': 'odometry/filtered',
    'imu_topic': 'imu/data',
    'cmd_vel_topic': 'cmd_vel_driver',
    'cmd_vel_in_topic': 'cmd_vel_smoothed',
    'cmd_vel_out_topic': 'cmd_vel_replanned',
}
OTHER_SIMULATION_VALUES = {
    **OTHER_VALUES,
    'use_sim_time': 'False',
    'sim_params_file': __file__,
    'real_time_factor': '2',
    'command_delay': '0.25',
    'slip_patch_share': '0.3',
    'seed': '7',
}
OTHER_TURTLEBOT3_VALUES = {
    **OTHER_VALUES,
    'model': 'burger',
    'command_guard': 'false',
}
OTHER_TURTLEBOT4_VALUES = {**OTHER_VALUES, 'robot': 'husky'}
GAZEBO_DEFAULTS = {
    **DEFAULTS,
    'model': 'waffle',
    'robot': 'turtlebot3_waffle',
    'command_guard': 'true',
    'use_sim_time': 'true',
    'world': 'config/worlds/slippery.sdf',
    'command_delay': '0.2',
    'gui': 'true',
}
NAV2_DEFAULTS = {
    **DEFAULTS,
    'nav2': 'true',
    'nav2_launch_file': 'navigation_launch.py',
    'nav2_params_file': '',
    'cmd_vel_in_topic': 'cmd_vel_smoothed',
    'cmd_vel_out_topic': 'cmd_vel_replanned',
}
# Under the environment variables that the fixture `share` sets.
ARGUMENTS = {
    'bringup.launch.py': (DEFAULTS, OTHER_VALUES),
    'simulation.launch.py': (SIMULATION_DEFAULTS, OTHER_SIMULATION_VALUES),
    'gazebo.launch.py': (GAZEBO_DEFAULTS, {}),
    'nav2.launch.py': (NAV2_DEFAULTS, {}),
    'record.launch.py': ({
        'robot': 'turtlebot3_burger', 'namespace': '', 'output': '', 'storage': '',
        'topics': 'tf tf_static', 'use_sim_time': 'false'}, {}),
    'rviz.launch.py': ({
        'rviz_config': 'config/rviz/lstm_predictor.rviz', 'namespace': '',
        'use_sim_time': 'false'}, {}),
    'turtlebot3.launch.py': (TURTLEBOT3_DEFAULTS, OTHER_TURTLEBOT3_VALUES),
    'turtlebot4.launch.py': (TURTLEBOT4_DEFAULTS, OTHER_TURTLEBOT4_VALUES),
}
OF_OTHERS = {'rviz2', 'create', 'parameter_bridge'}  # executables of other packages
# What only another package's launch file hears.
FOR_OTHERS = {'robot_bringup', 'usb_port'}
# A launch file of another package: it shows what it is given.
STAND_IN = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration
ARGUMENTS = {arguments}

def generate_launch_description():
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value='') for name in ARGUMENTS),
        ExecuteProcess(cmd=['{package}', *([name + ':=', LaunchConfiguration(name)]
                                            for name in ARGUMENTS)])])
"""
NAV2 = """
controller_server:
  ros__parameters: {odom_topic: odom}
collision_monitor:
  ros__parameters: {cmd_vel_in_topic: cmd_vel_smoothed, cmd_vel_out_topic: cmd_vel}
"""
STARTUP_S = 60.0
SHUTDOWN_S = 20.0

needs_launch = pytest.mark.skipif(not HAVE_LAUNCH, reason='launch_ros is not installed')


@pytest.fixture(scope='module')
def setup_arguments():
    """Return what setup.py hands to setuptools."""
    before = os.getcwd()
    os.chdir(ROOT)
    try:
        with mock.patch('setuptools.setup') as setup:
            runpy.run_path('setup.py')
    finally:
        os.chdir(before)
    return setup.call_args.kwargs


@pytest.fixture(scope='module')
def scripts(setup_arguments):
    """Return the console scripts of setup.py: where each of them starts."""
    entries = setup_arguments['entry_points']['console_scripts']
    return {name.strip(): start.strip() for name, start in (entry.split('=') for entry in entries)}


@pytest.fixture(scope='module')
def prefix(setup_arguments, scripts, tmp_path_factory):
    """Return a prefix that holds this checkout as an installed package."""
    prefix = tmp_path_factory.mktemp('prefix')
    for folder, files in setup_arguments['data_files']:
        (prefix / folder).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(ROOT / file, prefix / folder)
    libexec = prefix / 'lib' / 'lstm_predictor'
    libexec.mkdir(parents=True)
    for name, start in scripts.items():
        module, function = start.split(':')
        script = libexec / name
        script.write_text(
            f'#!{sys.executable}\nimport sys\nfrom {module} import {function}\n'
            f'sys.exit({function}())\n')
        script.chmod(0o755)
    return prefix


@pytest.fixture
def share(prefix, monkeypatch, tmp_path):
    """Return the package's share folder, found by everything that is launched."""
    for variable, folder in (('AMENT_PREFIX_PATH', prefix), ('PYTHONPATH', ROOT)):
        monkeypatch.setenv(variable, str(folder), prepend=os.pathsep)
    monkeypatch.setattr(launch_config, '_log_dir', str(tmp_path))
    for variable, value in (('TURTLEBOT3_MODEL', 'waffle'), ('ROBOT_NAMESPACE', '/robot7'),
                            ('ROS_DISTRO', 'jazzy')):
        monkeypatch.setenv(variable, value)
    return prefix / 'share' / 'lstm_predictor'


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Make a package with executables, and a launch file that starts one process named like it."""
    prefix = tmp_path / 'others'
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix), prepend=os.pathsep)

    def touch(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)

    def make(package, launch_file='', arguments=(), executables=()):
        share = prefix / 'share' / package
        touch(prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / package)
        for name in executables:
            touch(prefix / 'lib' / package / name)
        if launch_file:
            touch(share / 'launch' / launch_file)
            (share / 'launch' / launch_file).write_text(STAND_IN.format(
                package=package, arguments=list(arguments)))
        share.mkdir(exist_ok=True)
        return share

    return make


@pytest.fixture
def gazebo(stand_in):
    """Make what gazebo.launch.py needs."""
    stand_in('ros_gz_sim', 'gz_sim.launch.py', ['gz_args'], ['create'])
    stand_in('ros_gz_bridge', executables=['parameter_bridge'])
    stand_in('robot_state_publisher')
    share = stand_in('turtlebot3_gazebo', 'robot_state_publisher.launch.py', ['use_sim_time'])
    for name in ('burger', 'waffle'):
        model = share / 'models' / f'turtlebot3_{name}' / 'model.sdf'
        model.parent.mkdir(parents=True)
        wheels = ''.join(
            f'<link name="{side}_link"><pose>0 {y} 0.033 0 0 0</pose><collision name="wheel">'
            f'<geometry><sphere><radius>0.033</radius></sphere></geometry></collision></link>'
            f'<joint name="{side}" type="revolute"><parent>world</parent>'
            f'<child>{side}_link</child></joint>' for side, y in (('left', 0.1), ('right', -0.1)))
        model.write_text(
            f'<sdf version="1.8"><model name="{name}">{wheels}<plugin name="gz::sim::systems::'
            f'DiffDrive" filename="gz-sim-diff-drive-system"><left_joint>left</left_joint>'
            f'<right_joint>right</right_joint></plugin></model></sdf>')
    return share


@pytest.fixture
def nav2_parameters(stand_in):
    """Make what nav2.launch.py needs, and return the file with Nav2's own parameters."""
    share = stand_in('nav2_bringup', 'navigation_launch.py', [
        'params_file', 'namespace', 'use_sim_time', 'autostart', 'use_composition', 'map'])
    file = share / 'params' / 'nav2_params.yaml'
    file.parent.mkdir()
    file.write_text(NAV2)
    return file


def load(path):
    """Return the description that a launch file makes."""
    return PythonLaunchDescriptionSource(str(path)).get_launch_description(LaunchContext())


def processes(path, **arguments):
    """Yield the command line of each process, in the order in which launch would start them."""
    started = []

    def record(process, context):
        started.append([perform_substitutions(context, part) for part in process.cmd])

    context = LaunchContext()
    context.launch_configurations.update(arguments)
    pending = [load(path)]
    while pending:
        with mock.patch.object(ExecuteProcess, 'execute', record):
            pending[:1] = pending[0].visit(context) or []
        while started:
            yield started.pop()


def command_lines(path, **arguments):
    """Return the command line of each executable."""
    return {Path(words[0]).name: words for words in processes(path, **arguments)}


def of_robot(words):
    """Return the parameters that the profile of the robot gives."""
    # launch_ros writes a list as a Python tuple, which rcl reads as any other sequence
    content, = yaml.full_load(Path(params_files(words)[1]).read_text()).values()
    return {name: list(value) if isinstance(value, tuple) else value
            for name, value in content['ros__parameters'].items()}


def overrides(words):
    """Return the parameters that the launch file itself gives, as YAML."""
    return Path(params_files(words)[-1]).read_text()


def params_files(words):
    """Return the parameter files of a command line, the one that counts most last."""
    return [after for word, after in zip(words, words[1:]) if word == '--params-file']


def readable(words):
    """Return a command line with its temporary parameter files spelt out."""
    return [Path(word).read_text() if Path(word).name.startswith('launch_params') else word
            for word in words]


def test_executables_are_console_scripts(scripts):
    executables = {
        word.value.value for path in (ROOT / 'launch').glob('*.launch.py')
        for word in ast.walk(ast.parse(path.read_text()))
        if isinstance(word, ast.keyword) and word.arg == 'executable'
    }
    assert executables - OF_OTHERS <= set(scripts)


def test_setup_installs_what_launch_looks_for(prefix):
    share = prefix / 'share' / 'lstm_predictor'
    for path in ('config/bringup.yaml', 'config/simulation.yaml', 'config/robots/generic.yaml',
                 *(f'launch/{name}' for name in LAUNCH_FILES)):
        assert (share / path).is_file(), path
    assert (prefix / 'share/ament_index/resource_index/packages/lstm_predictor').is_file()


@needs_launch
@pytest.mark.parametrize('launch_file', LAUNCH_FILES)
def test_arguments_have_documented_defaults(launch_file, share):
    arguments = load(share / 'launch' / launch_file).get_launch_arguments()
    context = LaunchContext()
    context.launch_configurations['model'] = 'waffle'
    defaults = {}
    for argument in arguments:
        defaults.setdefault(
            argument.name, perform_substitutions(context, argument.default_value))
    assert defaults == {
        name: str(share / value) if value.startswith('config/') else value
        for name, value in ARGUMENTS[launch_file][0].items()}
    assert all(argument.description for argument in arguments)


@needs_launch
@pytest.mark.parametrize('launch_file', EXECUTABLES)
def test_every_argument_reaches_a_node(launch_file, share):
    path = share / 'launch' / launch_file
    values = ARGUMENTS[launch_file][1]
    assert set(values) | FOR_OTHERS >= {
        argument.name for argument in load(path).get_launch_arguments()}
    default = command_lines(path)
    assert set(default) == EXECUTABLES[launch_file]
    for name, value in values.items():
        other = command_lines(path, **{name: value})
        assert any(readable(other[node]) != readable(default[node])
                   for node in set(default) & set(other)), name


@needs_launch
def test_params_file_overrides_the_robot_which_overrides_the_defaults(share):
    started = command_lines(share / 'launch' / 'simulation.launch.py', robot='turtlebot4',
                            params_file=__file__, sim_params_file=__file__)
    for node in ('predictor', 'replanner', 'sim'):
        base, robot, users, _ = params_files(started[node])
        assert base.endswith('simulation.yaml' if node == 'sim' else 'bringup.yaml')
        assert '0.306' in Path(robot).read_text()
        assert users == __file__
    assert 'model_path' not in overrides(started['predictor'])
    for name in ('real_time_factor', 'command_delay', 'seed'):
        assert name not in overrides(started['sim'])


@needs_launch
@pytest.mark.parametrize('robot', ROBOTS)
def test_robot_gives_limits_topics_and_types(share, robot):
    profile = load_profile(robot)
    started = command_lines(
        share / 'launch' / 'simulation.launch.py', robot=robot, command_guard='true')
    for node in ('predictor', 'replanner', 'command_guard'):
        assert of_robot(started[node]) == profile.parameters(node)
    assert of_robot(started['sim']) == profile.sim_parameters('jazzy')
    for node in ('predictor', 'sim'):
        assert f'imu:={profile.imu_topic}' in started[node]
        assert f'cmd_vel:={profile.cmd_vel_topic}' in started[node]
    for node in ('predictor', 'replanner', 'sim'):
        assert f'odom:={profile.odom_topic}' in started[node]
    assert f'cmd_vel:={profile.cmd_vel_topic}' in started['command_guard']


@needs_launch
@pytest.mark.parametrize('launch_file', ['turtlebot3.launch.py', 'turtlebot4.launch.py'])
def test_guard_is_there_where_the_robot_does_not_stop_by_itself(share, launch_file):
    started = command_lines(share / 'launch' / launch_file)
    profile = load_profile(ARGUMENTS[launch_file][0]['robot'])
    assert ('command_guard' in started) is not (profile.command_timeout > 0.0)
    assert of_robot(started['predictor'])['max_velocity'] == list(profile.max_velocity)


@needs_launch
def test_turtlebot3_brings_the_robot_up_on_request(share, monkeypatch, stand_in):
    monkeypatch.setenv('LDS_MODEL', 'LDS-02')
    stand_in('turtlebot3_bringup', 'robot.launch.py', ['namespace', 'usb_port'])
    started = command_lines(share / 'launch' / 'turtlebot3.launch.py', robot_bringup='true',
                            namespace='robot1', model='burger', usb_port='/dev/ttyACM1')
    assert started['turtlebot3_bringup'] == [
        'turtlebot3_bringup', 'namespace:=robot1', 'usb_port:=/dev/ttyACM1']


@needs_launch
def test_parameters_have_the_type_that_the_nodes_declare(share):
    started = command_lines(
        share / 'launch' / 'simulation.launch.py',
        model_path='007', real_time_factor='2', command_delay='0', seed='7')
    assert "model_path: '007'" in overrides(started['predictor'])
    for line in ('real_time_factor: 2.0', 'command_delay: 0.0', 'seed: 7', 'autostart: true'):
        assert line in overrides(started['sim'])


@needs_launch
@pytest.mark.parametrize('use_sim_time', ['true', 'false'])
def test_the_robot_makes_the_clock_that_the_nodes_follow(share, use_sim_time):
    started = command_lines(
        share / 'launch' / 'simulation.launch.py', use_sim_time=use_sim_time)
    for node in ('predictor', 'replanner'):
        assert f'use_sim_time: {use_sim_time}' in overrides(started[node])
    assert f'publish_clock: {use_sim_time}' in overrides(started['sim'])
    assert 'use_sim_time' not in overrides(started['sim'])


@needs_launch
def test_the_robot_and_the_predictor_hear_the_replanner(share):
    started = command_lines(share / 'launch' / 'simulation.launch.py')
    for words in started.values():
        assert 'cmd_vel:=cmd_vel' in words
    assert 'cmd_vel_in:=cmd_vel_in' in started['replanner']


@needs_launch
def test_the_guard_stands_between_the_replanner_and_the_robot(share):
    started = command_lines(share / 'launch' / 'bringup.launch.py', command_guard='true',
                            cmd_vel_out_topic='cmd_vel_robot')
    assert 'cmd_vel:=cmd_vel_unguarded' in started['replanner']
    assert 'cmd_vel_in:=cmd_vel_unguarded' in started['command_guard']
    assert 'cmd_vel:=cmd_vel_robot' in started['command_guard']


@needs_launch
def test_gazebo_gets_the_world_the_robot_and_the_bridge(share, gazebo):
    started = list(processes(share / 'launch' / 'gazebo.launch.py', model='burger', gui='false',
                             robot='turtlebot3_burger'))
    by_name = {Path(words[0]).name: words for words in started}
    assert set(by_name) == {'predictor', 'replanner', 'command_guard', 'ros_gz_sim', 'create',
                            'slow_link', 'parameter_bridge', 'turtlebot3_gazebo'}
    server, = (words for words in started if words[0] == 'ros_gz_sim')
    world = share / 'config' / 'worlds' / 'slippery.sdf'
    assert server == ['ros_gz_sim', f'gz_args:=-r -s --headless-rendering -v2 {world}']
    create = by_name['create']
    robot = Path(create[create.index('-file') + 1])
    assert 'gz::sim::systems::WheelSlip' in robot.read_text()
    assert '<max_linear_velocity>0.22<' in robot.read_text()
    bridge = Path(params_files(by_name['parameter_bridge'])[0]).read_text()
    assert str(share / 'config' / 'gazebo_bridge.yaml') in bridge
    assert 'use_sim_time: true' in overrides(by_name['predictor'])


@needs_launch
@pytest.mark.parametrize('seconds, delayed', [('0.35', True), ('0', False)])
def test_robot_in_gazebo_gets_its_commands_after_the_dead_time(share, gazebo, seconds, delayed):
    started = {Path(words[0]).name: words for words in processes(
        share / 'launch' / 'gazebo.launch.py', cmd_vel_topic='cmd_vel_robot',
        command_delay=seconds)}
    assert ('slow_link' in started) == delayed
    assert 'cmd_vel:=cmd_vel_robot' in started['predictor']
    obeyed = 'cmd_vel_delayed' if delayed else 'cmd_vel_robot'
    assert f'cmd_vel:={obeyed}' in started['parameter_bridge']
    if delayed:
        assert 'cmd_vel_in:=cmd_vel_robot' in started['slow_link']
        assert f'cmd_vel:={obeyed}' in started['slow_link']
        assert 'command_delay: 0.35' in overrides(started['slow_link'])
        assert 'use_sim_time: true' in overrides(started['slow_link'])


@needs_launch
def test_gazebo_shows_its_window_where_nobody_says_otherwise(share, gazebo):
    servers = [words[1] for words in processes(share / 'launch' / 'gazebo.launch.py')
               if words[0] == 'ros_gz_sim']
    assert [words.split()[0] for words in servers] == ['gz_args:=-r', 'gz_args:=-g']
    assert 'headless' not in servers[0]


@needs_launch
def test_replanner_stands_between_smoother_and_monitor(share, nav2_parameters):
    started = command_lines(share / 'launch' / 'nav2.launch.py', map='/home/me/map.yaml',
                            use_sim_time='true', robot='turtlebot4')
    assert set(started) == {'predictor', 'replanner', 'nav2_bringup'}
    assert 'cmd_vel_in:=cmd_vel_smoothed' in started['replanner']
    assert 'cmd_vel:=cmd_vel_replanned' in started['replanner']
    assert 'cmd_vel:=cmd_vel' in started['predictor']  # what the robot gets
    given = dict(word.split(':=') for word in started['nav2_bringup'][1:])
    file = given.pop('params_file')
    assert given == {'namespace': '', 'use_sim_time': 'true', 'autostart': 'true',
                     'use_composition': '', 'map': '/home/me/map.yaml'}
    expected = yaml.safe_load(NAV2)
    expected['collision_monitor']['ros__parameters']['cmd_vel_in_topic'] = 'cmd_vel_replanned'
    assert yaml.safe_load(Path(file).read_text()) == expected


@needs_launch
def test_guard_has_the_last_word_where_nav2_has_no_monitor(share, nav2_parameters, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    started = command_lines(share / 'launch' / 'nav2.launch.py')
    assert 'cmd_vel_in:=cmd_vel_smoothed' in started['replanner']
    assert 'cmd_vel:=cmd_vel_unguarded' in started['replanner']
    assert 'cmd_vel:=cmd_vel' in started['command_guard']
    assert 'use_composition:=False' in started['nav2_bringup']


@needs_launch
def test_humble_smoother_keeps_the_name_of_its_topic(share, nav2_parameters, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    # as navigation_launch.py of Humble has it
    (nav2_parameters.parents[1] / 'launch' / 'navigation_launch.py').write_text("""
from launch import LaunchDescription
from launch_ros.actions import Node

def generate_launch_description():
    return LaunchDescription([Node(
        package='lstm_predictor', executable='sim', name='velocity_smoother',
        remappings=[('cmd_vel', 'cmd_vel_nav'), ('cmd_vel_smoothed', 'cmd_vel')])])
""")
    words = command_lines(share / 'launch' / 'nav2.launch.py')['sim']
    # the first rule that matches counts
    assert words.index('cmd_vel_smoothed:=cmd_vel_smoothed') < words.index(
        'cmd_vel_smoothed:=cmd_vel')


@needs_launch
def test_nav2_may_run_elsewhere(share):
    started = command_lines(share / 'launch' / 'nav2.launch.py', nav2='false')
    assert set(started) == {'predictor', 'replanner'}


@needs_launch
@pytest.mark.parametrize('distro, flags', [('humble', []), ('jazzy', ['--topics'])])
def test_records_what_training_needs(share, stand_in, monkeypatch, distro, flags):
    stand_in('ros2bag')
    monkeypatch.setenv('ROS_DISTRO', distro)
    words, = processes(share / 'launch' / 'record.launch.py', robot='husky', namespace='a200',
                       output='here', storage='sqlite3', use_sim_time='true')
    assert words == [
        'ros2', 'bag', 'record', '--output', 'here', '--storage', 'sqlite3', '--use-sim-time',
        *flags, '/a200/odometry/filtered', '/a200/imu/data', '/a200/cmd_vel', '/a200/cmd_vel_in',
        '/a200/joint_states', '/a200/ground_truth', '/a200/tf', '/a200/tf_static']


@needs_launch
def test_rviz_shows_the_file_it_is_given(share, stand_in):
    stand_in('rviz2', executables=['rviz2'])
    words, = processes(share / 'launch' / 'rviz.launch.py', rviz_config=__file__,
                       namespace='robot1', use_sim_time='true')
    assert words[1:3] == ['-d', __file__]
    assert '__ns:=/robot1' in words
    assert 'use_sim_time: true' in overrides(words)


@needs_launch
@pytest.mark.parametrize('launch_file, arguments, said', [
    ('gazebo.launch.py', {},
     'ros_gz_sim is not installed: sudo apt install ros-jazzy-ros-gz-sim'),
    ('gazebo.launch.py', {'ROS_DISTRO': 'humble'},
     'ros_gz_sim is not installed: sudo apt install ros-humble-ros-gzharmonic'),
    ('nav2.launch.py', {},
     'nav2_bringup is not installed: sudo apt install ros-jazzy-nav2-bringup'),
    ('record.launch.py', {'ROS_DISTRO': 'kilted'},
     'ros2bag is not installed: sudo apt install ros-kilted-ros2bag'),
    ('rviz.launch.py', {}, 'rviz2 is not installed: sudo apt install ros-jazzy-rviz2'),
    ('turtlebot3.launch.py', {'model': 'pancake'},
     'model "pancake" is no TurtleBot3: set TURTLEBOT3_MODEL to burger, waffle or waffle_pi'),
    ('turtlebot3.launch.py', {'robot_bringup': 'true'},
     'turtlebot3_bringup is not installed: sudo apt install ros-jazzy-turtlebot3-bringup'),
])
def test_says_in_one_sentence_what_is_missing(launch_file, arguments, said, share, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', arguments.pop('ROS_DISTRO', 'jazzy'))
    with pytest.raises(RuntimeError) as error:
        next(processes(share / 'launch' / launch_file, **arguments))
    assert str(error.value) == said


@needs_launch
@pytest.mark.parametrize('content, said', [
    ('controller_server: {}', 'has no collision_monitor at its top'),
    ('[', 'is not YAML'),
    ('', 'has no parameters'),
    (None, 'is not a file'),
])
def test_parameters_of_nav2_that_do_not_fit_are_named(share, nav2_parameters, content, said):
    nav2_parameters.unlink()
    if content is not None:
        nav2_parameters.write_text(content)
    with pytest.raises(RuntimeError, match=f'nav2_params_file "{nav2_parameters}" {said}'):
        next(processes(share / 'launch' / 'nav2.launch.py'))


@needs_launch
@pytest.mark.parametrize('launch_file, name', [
    ('gazebo.launch.py', 'world'), ('rviz.launch.py', 'rviz_config')])
def test_file_that_is_not_there_is_named(share, gazebo, stand_in, launch_file, name):
    stand_in('rviz2')
    with pytest.raises(RuntimeError, match=f'{name} "nowhere" is not a file'):
        next(processes(share / 'launch' / launch_file, **{name: 'nowhere'}))


@needs_launch
def test_unknown_robot_is_named_before_anything_starts(share):
    with pytest.raises(ValueError, match='robot "tricycle" is unknown: it must be generic, husky'):
        next(processes(share / 'launch' / 'simulation.launch.py', robot='tricycle'))


@needs_launch
@pytest.mark.parametrize('name, value', [
    ('params_file', 'nowhere.yaml'),
    ('sim_params_file', 'nowhere.yaml'),
    ('use_sim_time', 'maybe'),
    ('autostart', 'maybe'),
    ('log_level', 'loud'),
    ('real_time_factor', 'fast'),
    ('command_delay', 'long'),
    ('seed', '1.5'),
])
def test_bad_argument_is_named_before_anything_starts(name, value, share):
    with pytest.raises(RuntimeError, match=f'{name}.*{value}'):
        next(processes(share / 'launch' / 'simulation.launch.py', **{name: value}))


def wait_until_active(names, process):
    """Ask the nodes for their states until all are active."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('test_launch', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    states = dict.fromkeys(names, 'silent')
    clients = {name: node.create_client(GetState, f'{name}/get_state') for name in names}
    deadline = time.monotonic() + STARTUP_S
    try:
        while set(states.values()) != {'active'}:
            assert process.poll() is None, f'ros2 launch ended with {process.returncode}'
            assert time.monotonic() < deadline, states
            for name, client in clients.items():
                if client.wait_for_service(timeout_sec=0.2):
                    answer = client.call_async(GetState.Request())
                    executor.spin_until_future_complete(answer, timeout_sec=2.0)
                    if answer.done():
                        states[name] = answer.result().current_state.label
    finally:
        node.destroy_node()
        context.shutdown()


@needs_launch
@pytest.mark.ros
def test_simulation_comes_up_and_goes_down(share, tmp_path, monkeypatch):
    pytest.importorskip('ros2launch')
    ros2 = shutil.which('ros2')
    if ros2 is None:
        pytest.skip('no ros2 command on the PATH')
    monkeypatch.setenv('ROS_DOMAIN_ID', str(os.getpid() % 90 + 10))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    # shared memory of a node that has to be killed would break the next test
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path))
    # with a terminal as its input launch leaves it to the terminal to signal the nodes
    terminal, keyboard = os.openpty()
    log = tmp_path / 'output.txt'
    with log.open('w') as output:
        process = subprocess.Popen(
            [ros2, 'launch', 'lstm_predictor', 'simulation.launch.py'],
            stdin=keyboard, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_until_active(('predictor', 'replanner', 'sim'), process)
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(timeout=SHUTDOWN_S)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    except BaseException:
        print(log.read_text())
        raise
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        os.close(terminal)
        os.close(keyboard)
    said = log.read_text()
    assert code == 0, said
    assert said.count('process has finished cleanly') == 3, said
    assert 'Traceback' not in said, said
