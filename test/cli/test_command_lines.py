"""The command lines `replay` and `train` on real input, on bad input and when interrupted."""

import json
import math
from pathlib import Path
import re
import shutil
import signal
import time

from helpers.messages import drive, SECOND, stamp_of
from helpers.probe import own_domain
from helpers.processes import assert_one_error_line, PATIENCE
import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import TwistStamped  # noqa: E402
from lstm_predictor.cli import replay  # noqa: E402
from lstm_predictor.common.readings import Odometry  # noqa: E402
from lstm_predictor.nodes import subprocesses  # noqa: E402
from lstm_predictor.nodes.sim_node import imu_message, odometry_message  # noqa: E402
from lstm_predictor.recordings.drives import Drive, Received  # noqa: E402
from lstm_predictor.recordings.rosbag_io import BagWriter, Message, Recording  # noqa: E402
from lstm_predictor.simulation.robot import Robot  # noqa: E402
from lstm_predictor.simulation.robot_config import RobotConfig  # noqa: E402
from lstm_predictor.simulation.sensor_readings import ImuReading  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rosbags.typesys import get_typestore, Stores  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
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
    assert yaml.safe_load(subprocesses.as_yaml(value)) == value


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
    process = launch('lstm_predictor.cli.replay', bag, '--rate', '2', '--model', model_path,
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


def test_predictions_go_to_the_drive_whose_odometry_they_were_made_of():
    """Also where a clock that was set back shows the same stamps twice."""
    stamps = [range(100, 110), range(105, 120), range(300, 310)]
    drives = [Drive('/odom', [
        Received(stamp, '/odom', Odometry(stamp, 0.0, 0.0, 0.0, 0.0, 0.0)) for stamp in part])
        for part in stamps]
    made = [(103, 1), (107, 2), (109, 3), (106, 4), (107, 5), (118, 6), (299, 7), (301, 8)]
    assert replay.by_drive(made, drives) == [
        {103: 1, 107: 2, 109: 3}, {106: 4, 107: 5, 118: 6}, {301: 8}]


def in_slow_time(bag, path, pace, reset=False):
    """Write a recording anew as if the simulation had run slower than the recorder's clock."""
    store = get_typestore(Stores.LATEST)
    with Recording(bag) as recording, BagWriter(path) as writer:
        messages = list(recording.messages())
        begin = messages[0].receive_ns
        for one in messages:
            passed = one.receive_ns - begin
            content, kind = one.decoded(), one.msgtype
            if reset and passed > 6 * SECOND:
                content.header.stamp.sec -= 5
            if kind.endswith('TwistStamped'):
                content, kind = content.twist, 'geometry_msgs/msg/Twist'
            writer.write(Message(1_700_000_000 * SECOND + round(passed / pace), one.topic, kind,
                                 bytes(store.serialize_cdr(content, kind))))
    return path


@pytest.mark.parametrize('reset', [
    True, pytest.param(False, marks=pytest.mark.endurance)])
def test_replay_of_a_slow_simulation_counts_and_scores_all_drives(
        domain, launch, bag, model_path, tmp_path, reset):
    path = in_slow_time(bag, tmp_path / 'slow', 0.5, reset)
    process = launch('lstm_predictor.cli.replay', path, '--rate', '3', '--model', model_path,
                     '--json', tmp_path / 'scores.json')
    assert process.wait() == 0, process.said
    done, possible = map(int, re.search(
        r'(\d+) predictions scored, of about (\d+) possible ones', process.output).groups())
    assert 40 < done <= possible
    group = json.loads((tmp_path / 'scores.json').read_text())['groups'][tmp_path.name]
    assert group['predictors']['constant_velocity']['position_rmse_m'][0] < 0.02
    assert 'slow: odom and the clock of the recorder drift apart' in process.errors
    assert ('slow: odom jumps back by 5.0 s' in process.errors) == reset


@pytest.mark.parametrize('pace', [0.8, 0.3])
def test_the_clock_of_a_replay_is_that_of_the_simulation(bag, tmp_path, pace):
    with Recording(in_slow_time(bag, tmp_path / 'slow', pace)) as recording:
        drives = recording.drives()
        time_ns = replay.robot_time(drives)
        for item in drives[0].received:
            assert abs(time_ns(item.receive_ns) - item.reading.stamp_ns) < 1_000_000
    with Recording(bag) as recording:
        assert replay.robot_time(recording.drives())(123) == 123


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
    next((folder / 'no_yaml').glob('*.mcap')).unlink()
    with BagWriter(folder / 'no_odometry') as writer:
        writer.write(recorded(BEGIN_NS, '/cmd_vel', TwistStamped()))
    with BagWriter(folder / 'short') as writer:
        for message in drive(20, 1.0):
            writer.write(recorded(stamp_of(message), '/odom', message))
    return folder


BAD_BAGS = ['missing', 'empty', 'foreign', 'file', 'broken', 'no_yaml', 'no_odometry', 'short']


@pytest.fixture(scope='module')
def replays(launch, bad_bags, bag, model_path):
    """Return a process for two of the bad replays, both at once."""
    with own_domain():
        yield {
            'missing': launch('lstm_predictor.cli.replay', bad_bags / 'missing',
                              '--model', model_path),
            '--rate': launch('lstm_predictor.cli.replay', bag, '--rate', '0')}


def test_bad_replay_is_one_line(replays):
    assert_one_error_line(replays['missing'], 'missing')


def test_a_model_that_is_none_is_named(domain, refused, bag, tmp_path):
    foreign = tmp_path / 'foreign.pt'
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(foreign))
    assert 'foreign.pt' in refused(replay.main, str(bag), '--model', str(foreign))


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
