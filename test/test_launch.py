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

from lstm_predictor.profiles import load as load_profile

import pytest

import yaml

try:
    from launch import LaunchContext
    from launch.actions import ExecuteProcess
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch.utilities import perform_substitutions
    import launch_ros  # noqa: F401
    from lifecycle_msgs.srv import GetState
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    HAVE_LAUNCH = True
except ImportError:
    HAVE_LAUNCH = False

ROOT = Path(__file__).resolve().parents[1]
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
    'seed': '7',
}
OTHER_TURTLEBOT3_VALUES = {
    **OTHER_VALUES,
    'model': 'burger',
    'command_guard': 'false',
}
OTHER_TURTLEBOT4_VALUES = {**OTHER_VALUES, 'robot': 'husky'}
# Under the environment variables that the fixture `share` sets.
ARGUMENTS = {
    'bringup.launch.py': (DEFAULTS, OTHER_VALUES),
    'simulation.launch.py': (SIMULATION_DEFAULTS, OTHER_SIMULATION_VALUES),
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
def share(prefix, monkeypatch):
    """Return the package's share folder, found by everything that is launched."""
    for variable, folder in (('AMENT_PREFIX_PATH', prefix), ('PYTHONPATH', ROOT)):
        monkeypatch.setenv(variable, str(folder), prepend=os.pathsep)
    for variable, value in (('TURTLEBOT3_MODEL', 'waffle'), ('ROBOT_NAMESPACE', '/robot7'),
                            ('ROS_DISTRO', 'jazzy')):
        monkeypatch.setenv(variable, value)
    return prefix / 'share' / 'lstm_predictor'


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Make a package with a launch file that starts one process named like it."""
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'others'), prepend=os.pathsep)

    def make(package, launch_file='', arguments=()):
        share = tmp_path / 'others' / 'share'
        marker = share / 'ament_index' / 'resource_index' / 'packages' / package
        (share / package / 'launch').mkdir(parents=True, exist_ok=True)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        if launch_file:
            (share / package / 'launch' / launch_file).write_text(STAND_IN.format(
                package=package, arguments=list(arguments)))
        return share / package

    return make


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
    assert defaults == ARGUMENTS[launch_file][0]
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
    assert ('command_guard' in started) is not profile.stops_by_itself()
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
@pytest.mark.parametrize('launch_file, arguments, said', [
    ('turtlebot3.launch.py', {'model': 'pancake'},
     'model "pancake" is no TurtleBot3: set TURTLEBOT3_MODEL to burger, waffle or waffle_pi'),
    ('turtlebot3.launch.py', {'robot_bringup': 'true'},
     'turtlebot3_bringup is not installed: sudo apt install ros-jazzy-turtlebot3-bringup'),
])
def test_says_in_one_sentence_what_is_missing(launch_file, arguments, said, share):
    with pytest.raises(RuntimeError) as error:
        next(processes(share / 'launch' / launch_file, **arguments))
    assert str(error.value) == said


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
