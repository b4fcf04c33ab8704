"""A batch depends on the seed and its number, and on nothing else."""

from dataclasses import replace

from helpers.models import random_examples
from hypothesis import given, settings, strategies as st
from lstm_predictor.training.augmentation import AugmentConfig
from lstm_predictor.training.batches import Batches, Source, Sources
import numpy as np
import pytest
import torch

SIZE, STEPS, SHORTEST = 24, 6, 20
AUGMENT = AugmentConfig()
NOTHING = AugmentConfig(open_share=0.0, no_imu_share=0.0, no_command_share=0.0, short_share=0.0,
                        no_memory_share=0.0)

pytestmark = pytest.mark.usefixtures('one_thread')


def source_of(seed, share, mark, weights=None):
    """Return examples with their own error scales: `mark` plus the number of the track."""
    examples = random_examples(seed)
    error_scales = mark + np.zeros((2, 40, 2)) + np.arange(2)[:, None, None]
    return Source(examples, error_scales, share, weights)


SOURCES = Sources([source_of(0, 0.75, 10.0), source_of(1, 0.25, 20.0)], AUGMENT, SHORTEST)


def batches(sources=SOURCES, seed=0, epoch=0, steps=STEPS, size=SIZE, **share):
    return Batches(sources, seed, epoch, steps, size, **share)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


@settings(max_examples=10)
@given(st.integers(0, 100), st.integers(0, 50), st.integers(0, STEPS - 1))
def test_a_batch_is_decided_by_seed_and_number(seed, epoch, step):
    one = batches(seed=seed, epoch=epoch)
    torch.rand(3)
    np.random.rand(3)
    one[(step + 1) % STEPS]
    assert_same(one[step], batches(seed=seed, epoch=epoch)[step])


def test_epochs_and_seeds_have_other_batches():
    firsts = [batches(seed=seed, epoch=epoch)[step][0]
              for seed in range(2) for epoch in range(3) for step in range(STEPS)]
    assert len({tensor.numpy().tobytes() for tensor in firsts}) == len(firsts)


@pytest.mark.parametrize('processes', [2, 3])
def test_the_shares_of_several_processes_are_the_batch_of_one(processes):
    for step in range(STEPS):
        whole = batches()[step]
        shares = [batches(rank=rank, processes=processes)[step] for rank in range(processes)]
        assert len({len(share[0]) for share in shares}) == 1
        for part, pieces in zip(whole, zip(*shares)):
            assert torch.equal(torch.stack(pieces, dim=1).flatten(0, 1), part)


def test_there_are_as_many_as_asked_and_no_more():
    assert len(batches()) == STEPS
    with pytest.raises(IndexError):
        batches()[STEPS]
    assert len(list(batches())) == STEPS


def test_each_source_has_its_fraction_and_each_example_its_error_scale_and_memory():
    sources = replace(SOURCES, augment=NOTHING)
    for windows, _, _, memory, error_scales in batches(sources):
        marks = error_scales[:, 0, 0]
        assert [int((marks < 15.0).sum()), int((marks > 15.0).sum())] == [18, 6]
        for source, mark in zip(sources.sources, (10.0, 20.0)):
            known = {np.abs(window).tobytes(): (mark + track, learned.tobytes())
                     for window, track, learned in zip(
                         source.examples.windows, source.examples.tracks, source.examples.memory)}
            of_it = (marks - mark).abs() < 5.0
            for window, found, learned in zip(
                    windows[of_it].abs().numpy(), marks[of_it].tolist(), memory[of_it].numpy()):
                assert (found, learned.tobytes()) == known[window.tobytes()]


def test_weights_say_how_often_an_example_is_drawn():
    weights = np.concatenate([np.full(30, 3.0), np.full(50, 1.0)])
    sources = replace(SOURCES, sources=[source_of(0, 1.0, 10.0, weights)])
    marks = torch.cat([batch[4][:, 0, 0] for batch in batches(sources, steps=100)])
    assert float((marks == 10.0).float().mean()) == pytest.approx(90.0 / 140.0, abs=0.04)


def test_without_weights_all_are_drawn_alike():
    sources = replace(SOURCES, sources=[source_of(0, 1.0, 10.0)])
    marks = torch.cat([batch[4][:, 0, 0] for batch in batches(sources, steps=100)])
    assert float((marks == 10.0).float().mean()) == pytest.approx(30.0 / 80.0, abs=0.04)
