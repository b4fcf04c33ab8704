"""Training makes the loss smaller, gives the same again, and goes on where it was killed."""

import csv
from dataclasses import replace
import os
from pathlib import Path
import signal
import subprocess
import sys

from helpers.models import random_examples
from lstm_predictor.model.network import MotionModel
from lstm_predictor.training.augmentation import AugmentConfig
from lstm_predictor.training.batches import Batches, Source, Sources, TrainingData
from lstm_predictor.training.dataset import Examples
from lstm_predictor.training.loss import loss_of
from lstm_predictor.training.trainer import fit, OptimiserConfig, Resources
import pytest
import torch

STEP = 0.05  # [s]
CONFIG = OptimiserConfig(hidden=4, epochs=4, steps=6, batch=32, learning_rate=1e-2)
SHORTEST = 20

pytestmark = pytest.mark.usefixtures('one_thread')


def learnable(seed):
    """Return examples whose futures follow from their windows: all drive on as they do."""
    examples = random_examples(seed)
    speed = examples.windows[:, -1, :1]
    futures = 0.0 * examples.futures
    futures[:, :, 0] = 0.7 * speed * STEP * (1.0 + torch.arange(40).numpy())
    return replace(examples, futures=futures)


def corpus(seed=0):
    sources = [Sources([Source(learnable(each), torch.ones(2, 40, 2).numpy(), 1.0)],
                       AugmentConfig(), SHORTEST) for each in (seed, seed + 100)]
    return TrainingData(sources[0].sources, AugmentConfig(), SHORTEST, validation=sources[1])


def fitted(folder, config=CONFIG, data=None):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = MotionModel(hidden=config.hidden, cell=config.cell, truncate=config.truncate)
    return fit(model, data or corpus(), config, Resources(folder, progress=False))


def assert_same(one, other):
    for (name, a), (_, b) in zip(one.state_dict().items(), other.state_dict().items()):
        assert torch.equal(a, b), name


def losses(folder):
    """Return the loss in training and in validation after every epoch, in all logs."""
    found = []
    for file in sorted(folder.glob('csv/*/metrics.csv')):
        with open(file) as rows:
            found += list(csv.DictReader(rows))
    return [[float(row[name]) for row in found if row.get(name)]
            for name in ('loss', 'validation')]


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Return the folder of a whole run and what came out."""
    folder = tmp_path_factory.mktemp('run')
    return folder, fitted(folder)


@pytest.mark.parametrize('change', [{}, {'cell': 'gru'}, {'cell': 'rnn'}, {'truncate': 8}],
                         ids=str)
def test_fitting_lowers_the_loss(tmp_path, change):
    config = replace(CONFIG, epochs=2, steps=12, **change)
    trained = fitted(tmp_path, config)
    untrained = MotionModel(hidden=4, cell=config.cell)
    batch = Batches(corpus().validation, 0, 0, 1, 200)[0]
    with torch.no_grad():
        before, after = (float(loss_of(model, *batch)) for model in (untrained, trained))
    assert after < before - 0.05
    assert not trained.training


def test_the_prior_is_not_trained(run):
    for name, value in MotionModel(hidden=4).prior.state_dict().items():
        assert torch.equal(run[1].prior.state_dict()[name], value)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path, run):
    torch.rand(5)
    assert_same(fitted(tmp_path / 'again'), run[1])
    other = fitted(tmp_path / 'other', replace(CONFIG, seed=1))
    assert not torch.equal(other.head.weight, run[1].head.weight)


class Watched(Examples):
    """Remembers which of them were drawn."""

    drawn = []

    def __getitem__(self, chosen):
        self.drawn.append(bytes(chosen))
        return super().__getitem__(chosen)


def test_every_epoch_has_batches_of_its_own(tmp_path):
    data = corpus()
    source = data.sources[0]
    watched = replace(source, examples=Watched(**vars(source.examples)))
    fitted(tmp_path, data=replace(data, sources=[watched]))
    assert len(set(Watched.drawn)) == len(Watched.drawn) == CONFIG.epochs * CONFIG.steps


def test_every_epoch_is_logged(run):
    trained, checked = losses(run[0])
    assert len(trained) == len(checked) == CONFIG.epochs
    assert min(checked) < checked[0]
    assert list((run[0] / 'tensorboard').glob('events*'))


def test_the_best_weights_are_kept_and_not_the_last(tmp_path):
    """With a rate so high that training goes wrong."""
    model = fitted(tmp_path, replace(CONFIG, learning_rate=3.0, epochs=3, patience=3))
    kept = torch.load(tmp_path / 'best.ckpt', weights_only=True)
    best = losses(tmp_path)[1].index(min(losses(tmp_path)[1]))
    assert kept['epoch'] == best < CONFIG.epochs - 1
    assert torch.equal(kept['state_dict']['model.head.weight'], model.head.weight)


def test_training_ends_early_when_nothing_gets_better(tmp_path):
    fitted(tmp_path, replace(CONFIG, learning_rate=3.0, epochs=30, patience=2))
    checked = losses(tmp_path)[1]
    assert len(checked) == checked.index(min(checked)) + 1 + 2 < 30


# Runs that were killed.

KILLED = """
import os
from pathlib import Path
import signal
import sys

from lstm_predictor.training.dataset import Examples
import test_trainer
import torch


class Deadly(Examples):
    left = int(sys.argv[2])  # batches

    def __getitem__(self, chosen):
        Deadly.left -= 1
        if not Deadly.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(chosen)


torch.set_num_threads(1)
data = test_trainer.corpus()
source = data.sources[0]
deadly = test_trainer.replace(source, examples=Deadly(**vars(source.examples)))
test_trainer.fitted(Path(sys.argv[1]), data=test_trainer.replace(data, sources=[deadly]))
"""


@pytest.mark.parametrize('epochs', [
    pytest.param(0, marks=pytest.mark.endurance), 2])
def test_a_killed_run_goes_on_and_ends_where_it_would_have(tmp_path, run, epochs):
    """Killed in the middle of an epoch."""
    tests = Path(__file__).parent
    killed = subprocess.run(
        [sys.executable, '-c', KILLED, tmp_path, str(epochs * CONFIG.steps + 3)],
        env={**os.environ, 'PYTHONPATH': f'{tests}:{tests.parent}'}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = tmp_path / 'last.ckpt'
    assert last.exists() == (epochs > 0)
    assert not epochs or torch.load(last, weights_only=True)['epoch'] == epochs - 1
    assert_same(fitted(tmp_path), run[1])
    # What was logged before is still there.
    assert losses(tmp_path)[1] == losses(run[0])[1]


def test_a_run_that_was_done_is_not_done_again(tmp_path, run):
    fitted(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob('*.ckpt')}
    assert_same(fitted(tmp_path), run[1])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob('*.ckpt')} == before


# Configuration.

@pytest.mark.parametrize('name, value', [
    *((name, value) for name in ('hidden', 'fold', 'epochs', 'steps', 'batch', 'learning_rate',
                                 'patience') for value in (0, -1)),
    ('cell', 'transformer'), ('truncate', -4), ('truncate', 6), ('learning_rate', float('nan'))])
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ValueError, match=f'{name}.*{value}'):
        OptimiserConfig(**{name: value})
