"""The closed-loop bench: what its runs are, what `closed-loop` makes of them."""

from dataclasses import replace
import json
import math
import os
from pathlib import Path
import re
import signal
import time

from helpers.processes import PATIENCE
from lstm_predictor.cli.closed_loop import main
from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command
from lstm_predictor.evaluation.closed_loop.case import Case, PERIOD_NS, ROBOTS
from lstm_predictor.evaluation.closed_loop.courses import COURSES
from lstm_predictor.evaluation.closed_loop.pose_sources import Oracle, START_NS
from lstm_predictor.evaluation.closed_loop.runner import drive
from lstm_predictor.evaluation.closed_loop.score import score
from lstm_predictor.evaluation.closed_loop.summary import medians, summary
from lstm_predictor.evaluation.closed_loop.table import failed_lookaheads, table
from lstm_predictor.model import model_file
from lstm_predictor.paths import default_model
from lstm_predictor.simulation.robot import Robot
from lstm_predictor.simulation.sensor_readings import sample
import numpy as np
import pytest

COURSE, DELAYED = 'lane_change', 'delay_0.364'
NUMBERS = ['cross_track_rmse_m', 'cross_track_max_m', 'heading_rmse_rad', 'time_s', 'jerk']
KEYS = {'course', 'robot', 'source', 'method', 'lookahead_s', 'seeds', *NUMBERS, 'failed'}
ENTRY_KEYS = {'best', 'short', 'best_over_raw', 'best_over_replay', 'short_over_raw',
              'worst_course_over_raw', 'worst_course', 'jerk_over_raw'}


@pytest.fixture(scope='module')
def model(one_thread):
    """Return the model that comes with the package."""
    return model_file.load(Path(default_model()))


@pytest.fixture(scope='module')
def driven(model):
    """Return a function that drives a case, once each."""
    runs = {}

    def run(robot, method):
        case = Case(COURSE, robot, 'pursuit', method, 0.8, 0)
        if case not in runs:
            runs[case] = drive(case, model)
        return runs[case]

    return run


def error_of(run):
    """Return the cross-track RMSE of a run [m]."""
    return score(run, COURSES[COURSE].plan)['cross_track_rmse_m']


# Of the runs.

@pytest.mark.parametrize('method', ['raw', 'command_replay', 'lstm'])
def test_a_case_is_the_same_each_time(driven, model, method):
    again = drive(Case(COURSE, DELAYED, 'pursuit', method, 0.8, 0), model)
    for first, second in zip(driven(DELAYED, method), again):
        np.testing.assert_array_equal(first, second)


def test_another_seed_is_another_run(driven, model):
    other = drive(Case(COURSE, DELAYED, 'pursuit', 'raw', 0.8, 1), model)
    assert error_of(other) != error_of(driven(DELAYED, 'raw'))


def test_a_delay_makes_it_oscillate_unless_it_is_known(driven):
    """From https://github.com/ros-navigation/navigation2/issues/6139: 360 ms do."""
    assert error_of(driven(DELAYED, 'oracle')) < 0.5 * error_of(driven(DELAYED, 'raw'))


def test_the_shipped_model_takes_most_of_the_oscillation_away(driven):
    assert error_of(driven(DELAYED, 'lstm')) < 0.5 * error_of(driven(DELAYED, 'raw'))


def test_an_ideal_robot_is_where_it_is_seen(driven):
    for raw, oracle in zip(driven('ideal', 'raw'), driven('ideal', 'oracle')):
        np.testing.assert_array_equal(raw, oracle)


@pytest.mark.parametrize('name', ['delay_0.2', 'all'])
def test_the_oracle_is_where_the_robot_is_a_dead_time_later(name):
    config = replace(ROBOTS[name], odometry_noise=0.0, gyro_noise=0.0)
    late = round(1e9 * config.command_delay / PERIOD_NS)
    robot, oracle = Robot(config, 3), Oracle(config, 3)
    said, seen = [], []
    for period in range(160):
        command = Command(START_NS + robot.time_ns, 0.2, 1.2 * math.sin(0.1 * period))
        robot.command(*command[1:])
        oracle.add(command)
        for reading in robot.advance(robot.time_ns + PERIOD_NS):
            heard = sample(reading)
            if heard is not None:
                oracle.add(heard._replace(stamp_ns=START_NS + heard.stamp_ns))
        at = robot.ground_truth()
        said.append(oracle.pose())
        seen.append([at.x, at.y, at.yaw])
    said, seen = np.array(said[:-late]), np.array(seen)
    off = se2.between(said, seen[late:])
    # The odometry that it gives knows nothing of slip; the truth does.
    assert np.hypot(*off[:, :2].T).max() < (0.004 if name != 'all' else 0.05)
    unmoved = se2.between(said, seen[:-late])
    assert np.median(np.hypot(*unmoved[:, :2].T)) > 0.02


# Of the summary, on made-up numbers.

def run_of(method='raw', lookahead=0.8, error=0.01, course='slalom', jerk=1.0, robot='all',
           source='pursuit', seed=0):
    """Return one run of the bench; without an error it failed."""
    case = Case(course, robot, source, method, lookahead, seed)
    if error is None:
        return case, {'failed': 1}
    return case, {'cross_track_rmse_m': error, 'cross_track_max_m': 2.0 * error,
                  'heading_rmse_rad': 0.1, 'time_s': 10.0, 'jerk': jerk, 'failed': 0}


def summarised(*runs):
    return summary(medians(runs))['all']['pursuit']


def test_a_number_is_the_median_of_the_seeds_that_arrived():
    row, = medians(run_of(error=error, seed=seed)
                   for seed, error in enumerate([0.03, None, 0.01, 0.05, None, 0.02]))
    assert row['seeds'] == 6 and row['failed'] == 2
    assert row['cross_track_rmse_m'] == pytest.approx(0.025)
    assert row['cross_track_max_m'] == pytest.approx(0.05)


def test_there_is_no_number_where_none_arrived():
    row, = medians(run_of(error=None, seed=seed) for seed in range(3))
    assert row['failed'] == row['seeds'] == 3
    assert all(row[name] is None for name in NUMBERS)


def test_a_value_that_is_not_finite_is_no_number():
    row, = medians([run_of(jerk=math.nan), run_of(jerk=2.0, seed=1)])
    assert row['jerk'] == 2.0


def test_the_best_lookahead_is_that_of_the_smallest_rms_over_the_courses():
    found = summarised(
        run_of('raw', 0.8, 0.03), run_of('raw', 0.8, 0.04, 'square'),
        run_of('raw', 1.5, 0.01), run_of('raw', 1.5, 0.02, 'square'))['raw']
    assert found['best'] == {
        'lookahead_s': 1.5, 'failed': 0,
        'cross_track_rmse_m': pytest.approx(math.sqrt((0.01 ** 2 + 0.02 ** 2) / 2))}
    assert found['short'] == {
        'lookahead_s': 0.8, 'failed': 0,
        'cross_track_rmse_m': pytest.approx(math.sqrt((0.03 ** 2 + 0.04 ** 2) / 2))}


def test_a_lookahead_with_a_failure_is_not_the_best():
    found = summarised(
        run_of('raw', 0.5, 0.001), run_of('raw', 0.5, None, seed=1),
        run_of('raw', 0.8, 0.03), run_of('raw', 0.8, 0.03, seed=1))['raw']
    assert found['best']['lookahead_s'] == 0.8


def test_where_each_lookahead_has_a_failure_the_smallest_error_is_the_best():
    found = summarised(
        run_of('raw', 0.5, 0.02), run_of('raw', 0.5, None, seed=1),
        run_of('raw', 0.8, 0.03), run_of('raw', 0.8, None, seed=1))['raw']
    assert found['best'] == {'lookahead_s': 0.5, 'cross_track_rmse_m': 0.02, 'failed': 1}


def test_without_a_number_on_each_course_there_is_none_over_them():
    found = summarised(
        run_of('raw', 0.8, 0.02), run_of('raw', 0.8, None, 'square'),
        run_of('lstm', 0.8, 0.01), run_of('lstm', 0.8, 0.01, 'square'))
    assert found['raw']['best'] == {'lookahead_s': None, 'cross_track_rmse_m': None, 'failed': 0}
    assert found['raw']['short']['cross_track_rmse_m'] is None
    lstm = found['lstm']
    assert lstm['best']['cross_track_rmse_m'] == pytest.approx(0.01)
    assert lstm['best_over_raw'] is lstm['short_over_raw'] is lstm['jerk_over_raw'] is None
    # The one course on which raw arrived is compared.
    assert (lstm['worst_course'], lstm['worst_course_over_raw']) == ('slalom', 0.5)
    assert found['raw']['worst_course_over_raw'] == 1.0


def test_a_course_on_which_only_raw_arrives_is_the_worst():
    found = summarised(
        run_of('raw', 0.8, 0.02), run_of('raw', 0.8, 0.02, 'square'),
        run_of('lstm', 0.8, 0.09), run_of('lstm', 0.8, None, 'square'))['lstm']
    assert (found['worst_course'], found['worst_course_over_raw']) == ('square', None)


def test_ratios_compare_the_best_with_the_best_and_the_short_with_the_short():
    found = summarised(
        run_of('raw', 0.8, 0.08, jerk=9.0), run_of('raw', 1.5, 0.02, jerk=2.0),
        run_of('command_replay', 0.8, 0.016), run_of('command_replay', 1.5, 0.04),
        run_of('lstm', 0.8, 0.01, jerk=3.0), run_of('lstm', 1.5, 0.03))
    assert found['lstm']['best_over_raw'] == pytest.approx(0.01 / 0.02)
    assert found['lstm']['best_over_replay'] == pytest.approx(0.01 / 0.016)
    assert found['lstm']['short_over_raw'] == pytest.approx(0.01 / 0.08)
    assert found['lstm']['jerk_over_raw'] == pytest.approx(3.0 / 2.0)
    for key in ('best_over_raw', 'short_over_raw', 'worst_course_over_raw', 'jerk_over_raw'):
        assert found['raw'][key] == 1.0


def test_on_a_course_of_its_own_each_may_look_as_far_as_is_best_there():
    found = summarised(
        run_of('raw', 0.8, 0.01), run_of('raw', 0.8, 0.09, 'square'),
        run_of('raw', 1.5, 0.03), run_of('raw', 1.5, 0.03, 'square'),
        run_of('lstm', 0.8, 0.02), run_of('lstm', 0.8, 0.02, 'square'))
    assert found['raw']['best']['lookahead_s'] == 1.5
    assert (found['lstm']['worst_course'], found['lstm']['worst_course_over_raw']) \
        == ('slalom', pytest.approx(2.0))


def test_what_was_not_run_is_not_compared_with():
    found = summarised(run_of('lstm', 1.1, 0.01))['lstm']
    assert found['short'] == {'lookahead_s': None, 'cross_track_rmse_m': None, 'failed': 0}
    for key in ENTRY_KEYS - {'best', 'short'}:
        assert found[key] is None


def test_a_joystick_has_an_error_of_its_own():
    def played(method, error, seed):
        return (Case('joystick', 'weak', 'joystick', method, 0.0, seed),
                {'pose_rmse_m': error, 'time_s': 40.0, 'failed': 0})
    rows = medians([played('raw', 0.04, 0), played('raw', 0.06, 1), played('lstm', 0.02, 0),
                    (played('lstm', 0.0, 1)[0], {'failed': 1})])
    assert all(set(row) == KEYS | {'pose_rmse_m'} for row in rows)
    assert rows[0]['lookahead_s'] is None and rows[0]['cross_track_rmse_m'] is None
    found = summary(rows)['weak']['joystick']
    assert found['lstm'] == {
        'pose_rmse_m': 0.02, 'pose_over_raw': pytest.approx(0.4), 'failed': 1}
    assert '20.0 mm' in table({'weak': {'joystick': found}})


def test_the_table_is_in_millimetres_and_aligned():
    runs = [run_of('raw', 0.8, None), run_of('lstm', 0.8, 0.0123),
            run_of('command_replay', 0.8, 0.1)]
    title, *lines = table(summary(medians(runs))).splitlines()[:5]
    assert title == 'all, pursuit' and len({len(line) for line in lines}) == 1
    assert re.search(r'^  raw( +-)+$', lines[1])
    assert re.search(r'^  lstm +0\.8 s +12\.3 mm +- +0\.12 ', lines[2])


def test_what_fell_out_is_said():
    rows = medians([
        run_of('raw', 0.5, None), run_of('raw', 0.5, 0.1, 'stop_and_go'), run_of('raw', 0.8),
        run_of('lstm', 0.5), run_of('lstm', 0.8), run_of('oracle', 0.5, None),
        run_of('oracle', 0.8, None)])
    assert failed_lookaheads(rows) == [
        'all, pursuit, raw, 0.5 s: 1 of 1 on slalom',
        'all, pursuit, oracle, 0.5 s: 1 of 1 on slalom',
        'all, pursuit, oracle, 0.8 s: 1 of 1 on slalom',
        'all, pursuit, oracle: no lookahead without a failure, so the best is chosen among all']


# Of the command.

SMALL = ['--courses', COURSE, '--robots', 'ideal', DELAYED, '--sources', 'pursuit',
         '--methods', 'raw', 'lstm', '--lookaheads', '0.8', '1.1', '--seeds', '1']


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    """Return the folder that one small run of the command filled."""
    folder = tmp_path_factory.mktemp('bench') / 'new'
    assert main([*SMALL, '--jobs', '1', '--json', str(folder / 'one.json'),
                 '--plots', str(folder / 'plots')]) == 0
    return folder


def test_the_numbers_are_those_of_the_contract(bench):
    numbers = json.loads((bench / 'one.json').read_text())
    assert set(numbers) == {'cases', 'summary'}
    assert [(row['robot'], row['method'], row['lookahead_s']) for row in numbers['cases']] == [
        (robot, method, lookahead) for robot in ('ideal', DELAYED)
        for method in ('raw', 'lstm') for lookahead in (0.8, 1.1)]
    for row in numbers['cases']:
        assert set(row) == KEYS
        assert (row['course'], row['source'], row['seeds']) == (COURSE, 'pursuit', 1)
        assert row['failed'] == 0 and all(row[name] > 0.0 for name in NUMBERS)
        assert row['cross_track_rmse_m'] <= row['cross_track_max_m']
    assert set(numbers['summary']) == {'ideal', DELAYED}
    for sources in numbers['summary'].values():
        assert set(sources) == {'pursuit'} and set(sources['pursuit']) == {'raw', 'lstm'}
        assert all(set(entry) == ENTRY_KEYS for entry in sources['pursuit'].values())


def test_the_number_of_processes_changes_no_number(bench, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    file = tmp_path / 'two.json'
    assert main([*SMALL, '--jobs', '2', '--json', str(file)]) == 0
    assert file.read_text() == (bench / 'one.json').read_text()
    assert os.environ['OMP_NUM_THREADS'] == '2'
    said = capfd.readouterr()
    found = json.loads(file.read_text())['summary']
    assert said.out == f'{table(found)}\nwrote {file}\n' and said.err == ''


def test_pictures_are_drawn(bench):
    pictures = {path.name: path.read_bytes() for path in (bench / 'plots').iterdir()}
    assert set(pictures) == {f'{robot}_pursuit_{kind}.png' for robot in ('ideal', DELAYED)
                             for kind in ('paths', 'lookahead')}
    assert all(content.startswith(b'\x89PNG') for content in pictures.values())


def test_the_joystick_and_the_planner_have_no_lookahead_to_sweep(tmp_path, model_path):
    file = tmp_path / 'numbers.json'
    assert main(['--courses', COURSE, '--robots', 'ideal', 'weak', '--sources', 'mppi',
                 'joystick', '--methods', 'raw', 'oracle', '--seeds', '1', '--jobs', '1',
                 '--json', str(file), '--model', str(model_path)]) == 0
    cases = json.loads(file.read_text())['cases']
    assert [(row['source'], row['course'], row['robot'], row['method'], row['lookahead_s'])
            for row in cases] == [
        ('mppi', COURSE, 'ideal', 'raw', 0.8), ('mppi', COURSE, 'ideal', 'oracle', 0.8),
        ('joystick', 'joystick', 'ideal', 'raw', None),
        ('joystick', 'joystick', 'weak', 'raw', None)]
    assert cases[2]['pose_rmse_m'] < 0.3 * cases[3]['pose_rmse_m']
    for row in cases[2:]:
        assert 0.0 < row['cross_track_rmse_m'] < row['pose_rmse_m']
        assert row['cross_track_max_m'] > row['cross_track_rmse_m']
        assert row['heading_rmse_rad'] > 0.0 and row['jerk'] > 0.0


def runs(pid):
    """Return whether a process is there and no zombie."""
    try:
        return not re.search(r'^State:\s*Z', Path(f'/proc/{pid}/status').read_text(), re.M)
    except OSError:
        return False


def test_ctrl_c_ends_it_quietly(launch):
    process = launch('lstm_predictor.cli.closed_loop', '--full', '--jobs', '2')
    children = Path(f'/proc/{process.process.pid}/task/{process.process.pid}/children')
    end = time.monotonic() + PATIENCE
    while len(started := children.read_text().split()) < 3:  # two and what minds their memory
        assert process.process.poll() is None and time.monotonic() < end, process.said
        time.sleep(0.05)
    time.sleep(1.0)  # their imports take longer
    for pid in started:  # a terminal tells all of them
        os.kill(int(pid), signal.SIGINT)
    assert process.stop(signal.SIGINT) == 130
    assert process.errors == '\ninterrupted\n' and process.output == ''
    while any(map(runs, started)):
        assert time.monotonic() < end, started
        time.sleep(0.05)


# On bad input.

@pytest.mark.parametrize('option, value', [
    ('--courses', 'moon'), ('--robots', 'perfect'), ('--sources', 'me'), ('--methods', 'guess'),
    ('--lookaheads', '0'), ('--lookaheads', 'nan'), ('--seeds', '0'), ('--jobs', '-1')])
def test_a_bad_argument_is_named(capfd, option, value):
    with pytest.raises(SystemExit) as ended:
        main([option, value])
    assert ended.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith('closed-loop: error: ') and option in last and value in last


def test_what_does_not_go_together_is_said(capfd):
    assert main(['--robots', 'weak', '--sources', 'pursuit']) == 2
    assert capfd.readouterr().err.count('\n') == 1


def test_a_bad_model_is_named_in_one_line(refused, tmp_path):
    (tmp_path / 'model.pt').write_bytes(b'nothing')
    assert 'model.pt' in refused(main, '--model', str(tmp_path / 'model.pt'))


@pytest.mark.parametrize('option', ['--json', '--plots'])
def test_a_place_that_cannot_be_written_is_named_before_anything_runs(
        refused, tmp_path, model_path, option):
    (tmp_path / 'file').touch()
    bad = tmp_path if option == '--json' else tmp_path / 'file'
    before = time.monotonic()
    assert str(bad) in refused(main, '--full', option, str(bad), '--model', str(model_path))
    assert time.monotonic() - before < PATIENCE


# Through the real nodes.

@pytest.mark.ros
def test_through_the_real_nodes_the_prediction_keeps_a_late_robot_on_its_course(tmp_path):
    """Without it the same run is off by 50 to 90 mm."""
    pytest.importorskip('rclpy')
    file = tmp_path / 'ros.json'
    assert main(['--ros', '--courses', COURSE, '--robots', DELAYED, '--sources', 'pursuit',
                 '--methods', 'lstm', '--lookaheads', '0.8', '--seeds', '1',
                 '--json', str(file)]) == 0
    case, = json.loads(file.read_text())['cases']
    assert case['failed'] == 0
    assert case['cross_track_rmse_m'] < 0.03


def test_what_has_no_nodes_is_not_run_through_them(capsys):
    assert main(['--ros', '--sources', 'joystick']) == 2
    assert 'do not go together' in capsys.readouterr().err


# Driven about before.

def test_a_robot_that_was_driven_before_starts_where_the_others_do(model):
    case = Case(COURSE, DELAYED, 'pursuit', 'raw', 1.5, 0)
    cold, warm = drive(case, model), drive(case, model, before=5.0)
    assert warm.arrived
    np.testing.assert_allclose(warm.truth[0, :3], cold.truth[0, :3], atol=0.02)
    assert warm.times[0] == cold.times[0]
