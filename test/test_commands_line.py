"""The command lines `replay` and `train` on real input, on bad input and when interrupted."""

import json
import math
from pathlib import Path
import re
import shutil
import signal
import time

from conftest import assert_one_error_line, drive, own_domain, PATIENCE, SECOND, stamp_of
import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import TwistStamped  # noqa: E402
from lstm_predictor.bags import BagWriter, Message  # noqa: E402
from lstm_predictor.cli import processes  # noqa: E402
from lstm_predictor.nodes.sim_node import imu_message, odometry_message  # noqa: E402
from lstm_predictor.core.samples import Odometry  # noqa: E402
from lstm_predictor.sim.readings import ImuReading  # noqa: E402
from lstm_predictor.sim.robot import Robot  # noqa: E402
from lstm_predictor.sim.robot_config import RobotConfig  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[1]
RECORDING = (ROOT.parent / 'shared' / 'data' / 'turtlebot3_burger'
             / 'A_lab05_20260108-182931')
MODEL = ROOT / 'models' / 'turtlebot3.pt'
HORIZONS = [0.1, 0.2, 0.5, 1.0, 2.0]  # [s]
BEGIN_NS = 1_000 * SECOND


def recorded(stamp_ns, topic, message):
    """Return a message as a recorder writes it."""
    package, folder, name = type(message).__module__.split('.')[0], 'msg', type(message).__name__
    return Message(stamp_ns, topic, f'{package}/{folder}/{name}', serialize_message(message))


@pytest.mark.parametrize('value', ["/home/o'brien/x.pt", 'plain', '', "''", 'a: b # c'])
def test_a_parameter_comes_through_the_command_line_as_it_is(value):
    assert yaml.safe_load(processes.as_yaml(value)) == value


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return a recording of a simulated robot: 12 s, with a delay of its commands."""
    path = tmp_path_factory.mktemp('sim') / 'drive'
    robot = Robot(RobotConfig(command_delay=0.2, imu_rate=50.0))
    with BagWriter(path) as writer:
        for step in range(60):
            command = TwistStamped()
            command.twist.linear.x = 0.15 + 0.05 * math.sin(step / 5)
            command.twist.angular.z = math.cos(step / 9)
            command.header.stamp.sec, command.header.stamp.nanosec = divmod(
                BEGIN_NS + robot.time_ns, SECOND)
            writer.write(recorded(stamp_of(command), '/cmd_vel', command))
            robot.command(command.twist.linear.x, command.twist.angular.z)
            for reading in robot.advance(robot.time_ns + SECOND // 5):
                if isinstance(reading, Odometry):
                    message = odometry_message(reading, BEGIN_NS)
                    writer.write(recorded(stamp_of(message), '/odom', message))
                elif isinstance(reading, ImuReading):
                    message = imu_message(reading, BEGIN_NS)
                    writer.write(recorded(stamp_of(message), '/imu', message))
    return path


def children(pid):
    """Return the processes that have this parent."""
    found = []
    for status in Path('/proc').glob('[0-9]*/status'):
        try:
            parent = re.search(r'^PPid:\s*(\d+)', status.read_text(), re.M)
        except OSError:
            continue
        if parent and int(parent[1]) == pid:
            found.append(int(status.parent.name))
    return found


def runs(pid):
    """Return whether a process is there and no zombie."""
    try:
        return not re.search(r'^State:\s*Z', Path(f'/proc/{pid}/status').read_text(), re.M)
    except OSError:
        return False


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def assert_contract(groups, names):
    """Assert that the numbers are those that DESIGN asks of the JSON, and finite."""
    assert set(groups) == set(names)
    for group in groups.values():
        assert group['windows'] > 0 and group['horizons_s'] == HORIZONS
        assert {'published', 'lstm', 'constant_velocity'} <= set(group['predictors'])
        for scores in group['predictors'].values():
            for key in ('position_rmse_m', 'heading_rmse_rad'):
                assert len(scores[key]) == len(HORIZONS)
                assert all(math.isfinite(value) and value >= 0.0 for value in scores[key])
            assert len(scores['coverage_90']) == len(HORIZONS)


# On good input.

def test_replay_prints_a_table_and_writes_the_numbers(domain, launch, bag, model_path, tmp_path):
    process = launch('lstm_predictor.cli.replay', bag, '--rate', '4', '--model', model_path,
                     '--json', tmp_path / 'new' / 'scores.json')
    assert process.wait() == 0, process.said
    groups = json.loads((tmp_path / 'new' / 'scores.json').read_text())['groups']
    assert_contract(groups, [bag.parent.name])
    group = groups[bag.parent.name]
    assert group['windows'] > 50  # of 12 s less window and horizon, at 20 Hz: 160
    held = group['predictors']['constant_velocity']['position_rmse_m']
    assert held[0] < 0.02 and held == sorted(held)
    for name, scores in group['predictors'].items():
        row = re.search(rf'^ +{name} +(.*)$', process.output, re.M)
        assert [float(cell) for cell in row[1].split()] == pytest.approx(
            scores['position_rmse_m'], abs=1e-4)
    assert 'Traceback' not in process.said


def test_replay_of_a_real_robot(domain, launch, tmp_path):
    if not RECORDING.is_dir():
        pytest.skip(f'no recording {RECORDING.name} beside the repository')
    if not MODEL.is_file():
        pytest.skip(f'no model {MODEL.name} yet')
    process = launch('lstm_predictor.cli.replay', RECORDING, '--rate', '8', '--by', 'recording',
                     '--json', tmp_path / 'scores.json')
    assert process.wait() == 0, process.said
    groups = json.loads((tmp_path / 'scores.json').read_text())['groups']
    assert_contract(groups, [RECORDING.name])
    predictors = groups[RECORDING.name]['predictors']
    for key in ('position_rmse_m', 'heading_rmse_rad'):
        for ours, held in zip(predictors['published'][key], predictors['constant_velocity'][key]):
            assert ours < 2.0 * held, process.output


@pytest.mark.parametrize('number, moment', [
    (signal.SIGINT, 'start'), (signal.SIGINT, 'middle'), (signal.SIGTERM, 'middle'),
    (signal.SIGKILL, 'middle')])
def test_interrupted_replay_leaves_no_process(
        domain, launch, bag, model_path, tmp_path, number, moment):
    process = launch('lstm_predictor.cli.replay', bag, '--model', model_path,
                     '--json', tmp_path / 'scores.json')
    until(lambda: process.process.poll() is not None or children(process.process.pid),
          'the node')
    if moment == 'middle':
        until(lambda: process.process.poll() is not None
              or re.search(r'[1-9]\d* predictions', process.output), 'a prediction')
    started = children(process.process.pid)
    assert started, process.said
    code = process.stop(number)
    until(lambda: not any(map(runs, started)), f'{started} to end')
    assert code != 0 and not (tmp_path / 'scores.json').exists()
    assert 'Traceback' not in process.said
    if number == signal.SIGINT:
        assert code == 130 and 'interrupted' in process.errors


# On bad input.

@pytest.fixture(scope='module')
def bad_bags(tmp_path_factory, bag):
    """Return a folder of recordings that are none."""
    folder = tmp_path_factory.mktemp('bad_bags')
    (folder / 'empty').mkdir()
    (folder / 'foreign').mkdir()
    (folder / 'foreign' / 'notes.txt').write_text('nothing recorded here\n')
    (folder / 'file').write_text('no folder\n')
    shutil.copytree(bag, folder / 'broken')
    next((folder / 'broken').glob('*.mcap')).write_bytes(b'\x89MCAP0\r\nbroken')
    shutil.copytree(bag, folder / 'no_yaml')
    (folder / 'no_yaml' / 'metadata.yaml').write_text('{: nothing')
    with BagWriter(folder / 'no_odometry') as writer:
        writer.write(recorded(BEGIN_NS, '/cmd_vel', TwistStamped()))
    with BagWriter(folder / 'short') as writer:
        for message in drive(20, 1.0):
            writer.write(recorded(stamp_of(message), '/odom', message))
    return folder


BAD_BAGS = ['missing', 'empty', 'foreign', 'file', 'broken', 'no_yaml', 'no_odometry', 'short']


@pytest.fixture(scope='module')
def replays(launch, bad_bags, bag, model_path):
    """Return a process for some of the bad replays, all at once."""
    foreign = bad_bags / 'foreign.pt'
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(foreign))
    with own_domain():
        yield {
            'missing': launch('lstm_predictor.cli.replay', bad_bags / 'missing',
                              '--model', model_path),
            'foreign.pt': launch('lstm_predictor.cli.replay', bag, '--model', foreign),
            '--rate': launch('lstm_predictor.cli.replay', bag, '--rate', '0')}


@pytest.mark.parametrize('name', ['missing', 'foreign.pt'])
def test_bad_replay_is_one_line(replays, name):
    assert_one_error_line(replays[name], name)


def test_bad_rate_is_named(replays):
    assert replays['--rate'].wait() == 2
    assert re.search(r'^replay: error: .*--rate.*0$', replays['--rate'].errors, re.M)
    assert 'Traceback' not in replays['--rate'].said


@pytest.mark.parametrize('name', BAD_BAGS)
def test_bad_recording_is_named(domain, refused, bad_bags, model_path, name):
    from lstm_predictor.cli.replay import main
    assert name in refused(main, str(bad_bags / name), '--model', str(model_path))


CONFIGS = {
    'missing': None,
    'not yaml': 'fleet: [1, 2',
    'not a mapping': '- 1\n',
    'empty': '',
    'unknown key': 'horizn: 40\n',
    'unknown part': 'fleet: {robot: 3}\n',
    'bad value': 'horizon: -3\n',
    'bad part': 'window: {rate: 0.0}\n',
    'text for a number': 'fleet: {robots: many}\n',
    'part is a number': 'fleet: 7\n',
    'number is a list': 'horizon: [40]\n',
    'binary': '\x00\x01',
}
WORDS = {
    'unknown key': 'horizn', 'unknown part': 'robot', 'bad value': '-3', 'bad part': 'rate',
    'text for a number': 'robots', 'part is a number': 'fleet', 'number is a list': 'horizon'}


@pytest.mark.parametrize('case', CONFIGS)
def test_bad_training_configuration_is_named(refused, tmp_path, case):
    from lstm_predictor.cli.train import main
    path = tmp_path / 'train.yaml'
    if CONFIGS[case] is not None:
        path.write_text(CONFIGS[case])
    said = refused(main, str(path), '--output', str(tmp_path / 'model.pt'))
    assert str(path) in said and WORDS.get(case, '') in said
    assert not (tmp_path / 'model.pt').exists()


def test_bad_training_configuration_is_one_line(launch, tmp_path):
    (tmp_path / 'train.yaml').write_text(yaml.safe_dump({'horizon': 0}))
    assert_one_error_line(launch('lstm_predictor.cli.train', tmp_path / 'train.yaml'), 'horizon')
