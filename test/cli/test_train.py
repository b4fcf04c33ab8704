"""The command `train`, from a configuration to a model file, on one process and on two."""

import csv
import json
import signal
import sys
import time

from helpers.bags import message, recorded
from helpers.processes import PATIENCE, Started
from lstm_predictor.cli.train import main
from lstm_predictor.common.metrics import HORIZONS
from lstm_predictor.model.model_file import file_sha256, load
import pytest
import torch

CONFIG = """
fleet: {robots: 6, seconds: 10.0}
validation_robots: 3
test_robots: 2
recordings: {validation: [two], test: [three], left_out: [short], variants: 1}
optimiser: {hidden: 4, epochs: EPOCHS, steps: 5, batch: 64}
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory, tracks):
    """Return a folder with three recordings and one that is too short for anything."""
    folder = tmp_path_factory.mktemp('data')
    for name, track in zip(('one', 'two', 'three'), tracks):
        recorded(folder / name, map(message, track.readings))
    recorded(folder / 'short', map(message, tracks[0].readings[:50]))
    return folder


# What setuptools makes of the entry point. With -m every process would import torch again.
SCRIPT = """
import sys
from lstm_predictor.entry_points import train
if __name__ == '__main__':
    sys.exit(train())
"""


@pytest.fixture(scope='module')
def train(tmp_path_factory, data):
    """Return a function that starts the command; it returns the process and its folder."""
    top = tmp_path_factory.mktemp('train')
    (top / 'train').write_text(SCRIPT)
    started = []

    def start(*arguments, epochs=2, jobs=1):
        folder = tmp_path_factory.mktemp('run')
        (folder / 'train.yaml').write_text(CONFIG.replace('EPOCHS', str(epochs)))
        started.append(Started([
            sys.executable, top / 'train', folder / 'train.yaml', '--recordings', data,
            '--output', folder / 'new' / 'model.pt', '--json', folder / 'scores.json',
            '--cache', top / 'cache', '--runs', folder / 'runs', *arguments],
            folder, {'OMP_NUM_THREADS': '1', 'LSTM_PREDICTOR_JOBS': str(jobs)}))
        return started[-1], folder

    yield start
    for process in started:
        process.end()


@pytest.fixture(scope='module')
def one(train):
    process, folder = train()
    assert process.wait() == 0, process.said
    return process, folder


@pytest.fixture(scope='module')
def two(train, one):  # after the one, whose examples it takes
    process, folder = train('--devices', '2')
    assert process.wait() == 0, process.said
    return process, folder


def losses(folder):
    """Return the losses of every epoch that is in the log."""
    file, = folder.glob('runs/*/csv/*/metrics.csv')
    with open(file) as rows:
        found = list(csv.DictReader(rows))
    return [float(row[name]) for name in ('loss', 'validation') for row in found if row[name]]


def test_a_model_file_is_made_that_knows_where_it_is_from(one):
    process, folder = one
    contract = load(folder / 'new' / 'model.pt').contract
    assert (contract.window, contract.shortest, contract.horizon) == (80, 20, 40)
    assert set(contract.classical) == {
        'constant_turn', 'command_replay_mean', 'ekf', 'arx_online'}
    assert len(contract.data_sha256) == 64 and 0.05 < contract.max_speed < 1.0
    card = (folder / 'new' / 'model.md').read_text()
    assert file_sha256(folder / 'new' / 'model.pt') in card
    for line in ('- train: one', '- validation: two', '- test: three', '- left_out: short'):
        assert line in card
    assert 'Traceback' not in process.said


def test_scores_are_of_robots_and_recordings_that_training_did_not_see(one):
    """Of the one that is too short there are none."""
    _, folder = one
    groups = json.loads((folder / 'scores.json').read_text())['groups']
    assert set(groups) == {'fleet_open', 'fleet_known', 'validation: two', 'test: three'}
    assert groups == load(folder / 'new' / 'model.pt').contract.scores
    for group in groups.values():
        assert group['windows'] > 30 and group['horizons_s'] == list(HORIZONS)
        assert {'lstm', 'arx', 'constant_velocity'} <= set(group['predictors'])


def test_a_run_leaves_checkpoints_and_logs(one):
    run, = (one[1] / 'runs').iterdir()
    assert {'best.ckpt', 'last.ckpt', 'csv', 'tensorboard'} == {
        path.name for path in run.iterdir()}
    assert f'checkpoints and logs in {run}' in one[0].output


def test_two_processes_learn_what_one_does(one, two):
    assert losses(two[1]) == pytest.approx(losses(one[1]), abs=1e-4)
    weights = [torch.jit.load(folder / 'new' / 'model.pt').state_dict()
               for _, folder in (one, two)]
    for (name, mine), other in zip(weights[0].items(), weights[1].values()):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4, msg=name)


def test_two_processes_make_one_model_file(two):
    process, folder = two
    assert 'gloo' in process.said  # so there were two
    assert sorted(path.name for path in (folder / 'new').iterdir()) == ['model.md', 'model.pt']
    for words in ('wrote ', 'checkpoints and logs in', 'fleet_open: '):
        assert process.output.count(words) == 1
    assert 'Traceback' not in process.said


def test_an_interrupted_run_says_that_it_goes_on(train, one):
    process, folder = train(epochs=500)
    end = time.monotonic() + PATIENCE
    while not list(folder.glob('runs/*/last.ckpt')):
        assert process.process.poll() is None and time.monotonic() < end, process.said
        time.sleep(0.05)
    assert process.stop(signal.SIGINT) == 130
    assert 'goes on' in process.errors and 'Traceback' not in process.said
    assert not (folder / 'new').exists()


@pytest.mark.parametrize('text, folder, words', [
    ('recordings: {test: [nine]}', '.', 'nine'),
    ('recordings: {test: [one, three, short], validation: [two]}', '.', 'training'),
    ('{}', 'nowhere', 'nowhere')])
def test_recordings_that_cannot_be_used_are_named(refused, data, tmp_path, text, folder, words):
    (tmp_path / 'train.yaml').write_text(text)
    assert words in refused(
        main, str(tmp_path / 'train.yaml'), '--recordings', str(data / folder))
