"""`evaluate` says how far every predictor was from what came, or in one line why it cannot."""

import argparse
from dataclasses import replace
import json
import math
from pathlib import Path
import shutil

from helpers.bags import message, recorded
from helpers.processes import assert_one_error_line
from lstm_predictor.cli.arguments import add_topics, topics_of
from lstm_predictor.cli.evaluate import main
from lstm_predictor.common import metrics
from lstm_predictor.common.metrics import HORIZONS
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.evaluation.scores import evaluate
from lstm_predictor.model.model_file import load
from lstm_predictor.recordings.rosbag_io import Topics
from lstm_predictor.training import recorded_tracks
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
STEP = SECOND // 20
SPEED, FASTER = 0.2, 0.22  # [m/s]
CLASSICAL = {'constant_velocity', 'constant_turn', 'command_replay_mean', 'arx', 'arx_online',
             'ekf'}
MODEL = Path(__file__).parents[2] / 'models' / 'turtlebot3.pt'
KEYS = {'position_rmse_m', 'heading_rmse_rad', 'coverage_90'}


def straight(count=200):
    """Return the messages of a robot that drives straight on, and truly a little faster."""
    for i in range(count):
        stamp, seconds = START + i * STEP, 0.05 * i
        yield message(Odometry(stamp, SPEED * seconds, 0.0, 0.0, SPEED, 0.0))
        yield message(Imu(stamp, 0.0, 0.0))
        yield message(Command(stamp, SPEED, 0.0))
        if i % 2 == 0:  # seen from a map that lies the other way round
            yield message(Odometry(stamp, 5.0 - FASTER * seconds, 3.0, math.pi, 0.0, 0.0),
                          topic='/ground_truth')


@pytest.fixture(scope='module')
def bags(tmp_path_factory, tracks):
    """Return a folder with two good recordings and one that is too short."""
    folder = tmp_path_factory.mktemp('evaluate') / 'grass'
    folder.mkdir()
    recorded(folder / 'straight', straight())
    recorded(folder / 'winding', map(message, tracks[1].readings))
    recorded(folder / 'short', straight(10))
    return folder


@pytest.fixture
def evaluated(model_path, tmp_path, capfd):
    """Return a function that runs the command and returns the groups of its JSON."""

    def run(*arguments):
        file = tmp_path / 'new' / 'scores.json'
        code = main([*map(str, arguments), '--model', str(model_path), '--json', str(file)])
        run.said = capfd.readouterr()
        assert code == 0, run.said.err
        return json.loads(file.read_text())['groups']

    return run


def assert_contract(group, predictors, steady=False):
    assert group['windows'] > 0 and group['horizons_s'] == list(HORIZONS)
    assert set(group['predictors']) == predictors
    for name, scores in group['predictors'].items():
        assert KEYS <= set(scores)
        for key in ('position_rmse_m', 'heading_rmse_rad'):
            assert len(scores[key]) == len(HORIZONS)
            assert all(0.0 <= value < math.inf for value in scores[key])
        sure = name in ('lstm', 'published')
        assert all(0.0 <= share <= 1.0 if sure else share is None
                   for share in scores['coverage_90'])
        assert len(scores['coverage_90']) == len(HORIZONS)


def test_a_group_is_the_folder_that_holds_the_recordings(evaluated, bags, tmp_path):
    groups = evaluated(bags, '--plots', tmp_path / 'plots')
    assert set(groups) == {'grass'}
    assert_contract(groups['grass'], CLASSICAL | {'lstm', 'published'})
    assert (tmp_path / 'plots' / 'grass.png').read_bytes().startswith(b'\x89PNG')
    # Every number stands in the table.
    output = evaluated.said.out
    for scores in groups['grass']['predictors'].values():
        for value in scores['position_rmse_m']:
            assert f'{value:.4f}' in output
    assert evaluated.said.err == 'left out: short has no 4 s of odometry without a gap\n'


def test_the_start_of_a_drive_is_scored_as_if_nothing_had_come_after_it(
        bags, model_path, monkeypatch):
    monkeypatch.setattr(metrics, 'START', 4.0)
    found = recorded_tracks.read(bags / 'winding', Topics())
    whole, = found.tracks
    begin_ns = next(r.stamp_ns for r in whole.readings if isinstance(r, Odometry))
    cut = replace(whole, readings=[
        r for r in whole.readings if r.stamp_ns < begin_ns + 6.2 * SECOND])
    start, alone = (evaluate(load(model_path), track, known=False).group()['first_20_s']
                    for track in (whole, cut))
    assert start['windows'] == alone['windows'] > 20
    for name, scores in start['predictors'].items():
        assert scores['position_ratio'] == pytest.approx(
            alone['predictors'][name]['position_ratio'], rel=1e-6)
        assert scores['heading_rmse_rad'] == pytest.approx(
            alone['predictors'][name]['heading_rmse_rad'], rel=1e-6)


def test_every_predictor_is_compared_with_the_best_classical_one(evaluated, bags):
    group = evaluated(bags)['grass']
    for part in (group, group['first_20_s']):
        classical = [part['predictors'][name] for name in CLASSICAL]
        for key, ratio in (('position_rmse_m', 'position_ratio'),
                           ('heading_rmse_rad', 'heading_ratio')):
            best = np.min([scores[key] for scores in classical], axis=0)
            for scores in part['predictors'].values():
                assert scores[ratio] == pytest.approx((np.array(scores[key]) / best).tolist())
    # Both drives take less than 20 s.
    assert group['first_20_s']['windows'] == group['windows']
    assert 'grass, first 20 s of each drive: ' in evaluated.said.out


def test_a_group_can_be_each_recording(evaluated, bags, monkeypatch):
    """Here in two processes, elsewhere in one."""
    monkeypatch.setenv('LSTM_PREDICTOR_JOBS', '2')
    groups = evaluated(bags / 'straight', bags / 'winding', '--by', 'recording')
    assert set(groups) == {'straight', 'winding'}
    # 10 s of rows at 20 Hz less the 40 before the first and the 40 after the last.
    assert groups['straight']['windows'] == 200 - 80
    held = groups['straight']['predictors']['constant_velocity']
    assert held['position_rmse_m'] == pytest.approx([0.0] * 5, abs=1e-6)


def test_known_commands_are_those_that_were_recorded(evaluated, bags):
    known, open_ = (evaluated(bags / 'winding', '--commands', commands)['grass']
                    for commands in ('known', 'open'))
    assert_contract(known, CLASSICAL | {'lstm'})  # what is published knows no future command
    assert known['windows'] == open_['windows']
    for name, changed in (('command_replay_mean', True), ('lstm', True),
                          ('constant_velocity', False)):
        one, other = (group['predictors'][name]['position_rmse_m'][-1] for group in (known, open_))
        assert (one != other) == changed


def test_the_target_can_be_the_true_pose(evaluated, bags):
    """It is in a frame of its own, comes at its own rate, and this robot drives faster."""
    group = evaluated(bags / 'straight', '--target', 'ground_truth')['grass']
    held = group['predictors']['constant_velocity']
    assert held['position_rmse_m'] == pytest.approx(
        [(FASTER - SPEED) * horizon for horizon in HORIZONS], abs=1e-5)
    assert held['heading_rmse_rad'] == pytest.approx([0.0] * 5, abs=1e-6)


def test_recordings_without_the_true_pose_are_left_out_by_name(evaluated, bags):
    group = evaluated(bags, '--target', 'ground_truth')['grass']
    assert group['windows'] == 200 - 80 - 1  # the last true pose comes a step early
    assert 'winding has nothing on /ground_truth' in evaluated.said.err


def test_a_fleet_is_scored_twice_and_the_oracle_is_the_best(evaluated):
    groups = evaluated('--fleet', '2', '--seed', '5')
    assert set(groups) == {'fleet_open', 'fleet_known'}
    of_fleet = CLASSICAL | {'lstm', 'command_replay_told', 'oracle'}
    assert_contract(groups['fleet_open'], of_fleet | {'published'})
    assert_contract(groups['fleet_known'], of_fleet)
    for group in groups.values():
        for key in ('position_rmse_m', 'heading_rmse_rad'):
            errors = {name: np.array(scores[key]) for name, scores in group['predictors'].items()}
            for name in set(errors) - {'oracle'}:
                assert (errors['oracle'] <= errors[name]).all(), name
    told = [groups[name]['predictors']['command_replay_told']['position_rmse_m'][-1]
            for name in ('fleet_known', 'fleet_open')]
    assert told[0] < told[1]


# Recordings as they are. On each the network alone errs as on the recording that is right.

def moved(reading, stamp_ns, receive_ns):
    made = message(reading._replace(stamp_ns=stamp_ns))
    return replace(made, receive_ns=receive_ns)


def as_recorded(change, count=480):
    """Return the messages of a winding drive, each with its stamp and receipt [ns] changed."""
    x = y = yaw = 0.0
    for i in range(count):
        seconds, stamp = 0.05 * i, START + i * STEP
        speed, yaw_rate = 0.15 + 0.05 * math.sin(seconds), 0.8 * math.cos(1.3 * seconds)
        for reading in (Odometry(stamp, x, y, yaw, speed, yaw_rate),
                        Imu(stamp, yaw_rate, 0.05 * math.cos(seconds)),
                        Command(stamp, speed, yaw_rate)):
            yield moved(*change(reading, i))
        for _ in range(50):
            x, y = x + 0.001 * speed * math.cos(yaw), y + 0.001 * speed * math.sin(yaw)
            yaw += 0.001 * yaw_rate


def right(reading, i):
    return reading, reading.stamp_ns, reading.stamp_ns + 7_000_000


def set_back(reading, i):
    return reading, reading.stamp_ns - (5 * SECOND if i >= 240 else 0), reading.stamp_ns + 7


def set_ahead(reading, i):
    return reading, reading.stamp_ns + (3600 * SECOND if i >= 240 else 0), reading.stamp_ns + 7


def set_to_zero(reading, i):
    if i >= 240 and isinstance(reading, Odometry):
        reading = reading._replace(x=reading.x - 1.5, y=reading.y + 0.4)
    return reading, reading.stamp_ns, reading.stamp_ns + 7_000_000


def jittering(reading, i):
    stamp_ns = reading.stamp_ns + (-120, 120, 35, -70, 0, 90)[i % 6]
    return reading, stamp_ns, stamp_ns + 7_000_000


def of_two_computers(reading, i):
    ahead_ns = 770_000_000 if isinstance(reading, Odometry) else 0
    return reading, reading.stamp_ns + ahead_ns, reading.stamp_ns + 7_000_000


@pytest.fixture(scope='module')
def shipped():
    if not MODEL.is_file():
        pytest.skip('the model is not there')
    return MODEL


@pytest.mark.parametrize('change, windows, words', [
    (set_back, 2 * 160, 'odom jumps back by 5.0 s at 12.0 s: a new drive begins'),
    (set_ahead, 2 * 160, 'odom jumps ahead by 3600.0 s at 12.0 s: a new drive begins'),
    (set_to_zero, 2 * 160, 'the pose of odom jumps by 1.5'),
    (jittering, 400, ''),
    (of_two_computers, 400, '/cmd_vel: stamp offset +0.77 s relative to odom, compensated')],
    ids=lambda one: getattr(one, '__name__', None))
def test_a_recording_with_a_fault_is_scored_as_without(
        evaluated, shipped, tmp_path, change, windows, words):
    folder = tmp_path / 'bags'
    folder.mkdir()
    recorded(folder / 'right', as_recorded(right))
    recorded(folder / 'changed', as_recorded(change))
    groups = evaluated(folder, '--by', 'recording', '--model', shipped)
    assert groups['changed']['windows'] == pytest.approx(windows, abs=1)
    good, other = (groups[name]['predictors']['lstm']['position_rmse_m']
                   for name in ('right', 'changed'))
    assert np.array(other) == pytest.approx(np.array(good), rel=0.05, abs=1e-4)
    said = [line for line in evaluated.said.err.splitlines() if line.startswith('changed: ')]
    assert bool(said) == bool(words) and all(words.split(':')[-1] in line for line in said[:1])
    if change is not of_two_computers:
        assert len(said) == bool(words) and words in ''.join(said)


# On bad input.

def test_nothing_to_evaluate_is_said(capfd):
    assert main([]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1


@pytest.fixture(scope='module')
def bad(tmp_path_factory, bags):
    """Return a folder with recordings that are none."""
    folder = tmp_path_factory.mktemp('bad')
    (folder / 'empty').mkdir()
    (folder / 'no_yaml').mkdir()
    (folder / 'no_yaml' / 'metadata.yaml').write_text('{: nothing')
    recorded(folder / 'no_odometry', [message(Imu(START, 0.0, 0.0))])
    shutil.copytree(bags / 'straight', folder / 'broken')
    next((folder / 'broken').glob('*.mcap')).write_bytes(b'\x89MCAP0\r\nbroken')
    shutil.copytree(bags / 'short', folder / 'short')
    return folder


@pytest.mark.parametrize('name, words', [
    ('missing', 'does not exist'), ('empty', 'no rosbag2'), ('no_yaml', 'no rosbag2'),
    ('no_odometry', 'nav_msgs/msg/Odometry on /odom'), ('broken', 'no rosbag2'),
    ('short', 'no 4 s of odometry')])
def test_a_bad_recording_is_named_in_one_line(refused, bad, model_path, name, words):
    said = refused(main, str(bad / name), '--model', str(model_path))
    assert name in said and words in said


def test_a_topic_that_is_not_there_is_named(refused, bags, model_path):
    said = refused(main, str(bags / 'straight'), '--model', str(model_path),
                   '--odom-topic', '/wheels')
    assert '/wheels' in said and 'straight' in said and '/odom' in said


def test_topics_of_a_robot_are_looked_for(refused, bags, model_path):
    said = refused(main, str(bags / 'straight'), '--model', str(model_path), '--robot', 'husky')
    assert '/odometry/filtered' in said


def test_topic_counts_before_the_robot():
    given = argparse.ArgumentParser()
    add_topics(given)
    assert topics_of(given.parse_args([])) == Topics()
    assert topics_of(given.parse_args(['--robot', 'husky', '--imu-topic', '/imu'])) == Topics(
        '/odometry/filtered', '/imu', '/cmd_vel', named=frozenset({'imu'}))
    assert topics_of(given.parse_args(['--odom-topic', 'odom'])).odom == '/odom'


@pytest.mark.parametrize('option', ['--imu-topic', '--cmd-vel-topic'])
@pytest.mark.parametrize('topic, words', [
    ('/nowhere', 'there is no /nowhere'), ('/ground_truth', 'is nav_msgs/msg/Odometry')])
def test_a_sensor_that_the_user_named_must_be_there(
        refused, bags, model_path, option, topic, words):
    said = refused(main, str(bags / 'straight'), '--model', str(model_path), option, topic)
    assert f'{option} {topic}' in said and words in said
    assert ('/imu (200 messages)' if option == '--imu-topic' else '/cmd_vel (200') in said


def test_a_sensor_that_is_usual_and_not_there_is_one_line(evaluated, tmp_path):
    bag = recorded(tmp_path / 'bare', [one for one in straight() if one.topic == '/odom'])
    assert evaluated(bag)
    assert evaluated.said.err.splitlines() == [
        'bare: no sensor_msgs/msg/Imu on /imu',
        'bare: no geometry_msgs/msg/Twist or geometry_msgs/msg/TwistStamped on /cmd_vel']


def test_unknown_robot_is_named(capsys):
    with pytest.raises(SystemExit):
        main(['--robot', 'tricycle', 'bag'])
    assert 'robot "tricycle" is unknown: it must be generic, husky' in capsys.readouterr().err


def test_a_bad_model_is_named_in_one_line(refused, bags, tmp_path):
    (tmp_path / 'model.pt').write_bytes(b'nothing')
    assert 'model.pt' in refused(main, str(bags), '--model', str(tmp_path / 'model.pt'))


def test_a_model_that_anyone_can_change_is_refused_in_one_line(
        refused, bags, model_path, tmp_path):
    path = shutil.copy(model_path, tmp_path / 'model.pt')
    path.chmod(0o666)
    assert f'chmod o-w {path}' in refused(main, str(bags), '--model', str(path))


def test_the_command_itself_ends_with_one_line(launch, bad, model_path):
    process = launch('lstm_predictor.cli.evaluate', bad / 'short', '--model', model_path)
    assert_one_error_line(process, 'short', '4 s')
