"""`evaluate` says how far every predictor was from what came, or in one line why it cannot."""

import argparse
import json
import math
import shutil

from conftest import assert_one_error_line
from lstm_predictor.bags import Topics
from lstm_predictor.cli.arguments import add_topics, topics_of
from lstm_predictor.cli.evaluate import main
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.learning.metrics import HORIZONS
import numpy as np
import pytest
from test_bags import message, recorded

SECOND = 1_000_000_000  # [ns]
START = 1_700_000_000 * SECOND
STEP = SECOND // 20
SPEED, FASTER = 0.2, 0.22  # [m/s]
CLASSICAL = {'constant_velocity', 'constant_turn', 'command_replay_mean', 'arx', 'arx_online',
             'ekf'}
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


def test_a_group_can_be_each_recording(evaluated, bags):
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
        '/odometry/filtered', '/imu', '/cmd_vel')


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
