"""What training makes small is small where it should be, and regions hold what they promise."""

from dataclasses import replace

from helpers.models import motion_model, random_examples
from hypothesis import given, strategies as st
from lstm_predictor.training import dataset
from lstm_predictor.training.loss import calibrate, loss_of, negative_log_likelihood, wrapped
import numpy as np
import pytest
from scipy.stats import chi2
import torch

HORIZON = 40

pytestmark = pytest.mark.usefixtures('one_thread')


def batch(seed=0):
    examples = random_examples(seed)
    window, commands, future, memory = (torch.from_numpy(array) for array in (
        examples.windows, examples.commands, examples.futures, examples.memory))
    return window, commands, future, memory, torch.ones(len(window), HORIZON, 2)


@given(st.floats(-50.0, 50.0))
def test_yaw_is_compared_on_the_circle(turn):
    error = wrapped(torch.tensor([[1.0, 2.0, turn]], dtype=torch.float64))[0]
    assert error[:2].tolist() == [1.0, 2.0] and -np.pi <= error[2] < np.pi
    assert np.exp(1j * float(error[2])) == pytest.approx(np.exp(1j * turn), abs=1e-9)


def test_an_error_counts_relative_to_what_constant_velocity_makes_of_that_track():
    """Twice the error in a track that is twice as hard is the same loss."""
    model = motion_model()
    model.head.weight.data[4:] = 0.0  # the regions stay as they are
    model.head.bias.data[4:] = 0.0
    window, commands, _, memory, error_scale = batch()
    with torch.no_grad():
        poses, factors = model.informed(window, commands, memory)
        small, large = (
            loss_of(model, window, commands, poses + 0.1 * size, memory, size * error_scale)
            - 0.05 * negative_log_likelihood(torch.full_like(poses, 0.1 * size), factors)
            for size in (1.0, 2.0))
    assert float(small) == pytest.approx(float(large), rel=1e-3) and small > 0.0


def test_the_loss_is_least_at_what_came():
    model = motion_model()
    window, commands, _, memory, error_scale = batch()
    with torch.no_grad():
        poses, _ = model.informed(window, commands, memory)
        losses = [float(loss_of(model, window, commands, poses + away, memory, error_scale))
                  for away in (0.0, 0.01, -0.01, 1.0)]
        forgetful = float(loss_of(model, window, commands, poses, 0.0 * memory, error_scale))
    assert min(losses) == losses[0] and max(losses) == losses[3]
    assert forgetful > losses[0]


def test_the_regions_do_not_pull_at_the_poses():
    """A likelihood could be raised by giving poses up; its gradient must not reach them."""
    model = motion_model()
    window, commands, future, memory, error_scale = batch()
    for size, pulled in ((1e6, False), (1.0, True)):  # by the error scale no error matters, or all
        loss = loss_of(model, window, commands, future, memory, size * error_scale)
        gradient, = torch.autograd.grad(loss, model.head.weight)
        for rows in (slice(2), slice(2, 4)):  # what differs from the priors, and which one holds
            assert (gradient[rows].abs().max() > 1e-6) == pulled
        assert gradient[4:].abs().max() > 1e-6


@pytest.mark.parametrize('size', [0.3, 1.0, 3.0])
def test_the_likelihood_is_highest_at_the_size_that_errors_have(size):
    """Of a Student distribution with four degrees of freedom, whose spread is 1."""
    rng = np.random.default_rng(0)
    error = rng.normal(size=(20_000, 3)) / np.sqrt(rng.chisquare(4, (20_000, 1)) / 4.0)
    error = torch.from_numpy(size * error)
    costs = {factor: float(negative_log_likelihood(
        error, factor * size * torch.eye(3, dtype=torch.float64).expand(len(error), 3, 3)))
        for factor in (0.5, 0.8, 1.0, 1.25, 2.0)}
    assert min(costs, key=lambda factor: costs[factor]) == 1.0


def test_calibrated_regions_hold_the_wanted_share():
    """Of several groups of other sizes the geometric mean of what each of them needs."""
    groups = [random_examples(seed, tracks=(count,)) for seed, count in ((0, 400), (1, 60))]
    for chosen in (groups[:1], groups[1:], groups):
        model = motion_model(spread=0.0)
        calibrate(model, chosen)
        found = [inside(model, group) for group in chosen]
        if len(chosen) == 1:
            assert found[0] == pytest.approx(np.full(HORIZON, 0.9), abs=0.02)
        both = model.calibration
    alone = []
    for group in groups:
        model = motion_model(spread=0.0)
        calibrate(model, [group])
        alone.append(model.calibration)
    torch.testing.assert_close(both, (alone[0] * alone[1]).sqrt(), rtol=1e-4, atol=0.0)


def test_regions_are_calibrated_for_robots_that_are_known():
    examples, both = random_examples(4), []
    for share in (1.0, 0.0):
        model = motion_model()
        calibrate(model, [replace(examples, memory=share * examples.memory)])
        both.append(model.calibration)
    assert (both[0] != both[1]).all()


def inside(model, examples):
    """Return the share of what came that lies in the 90 % region, at each step."""
    window, future, memory = (torch.from_numpy(array) for array in (
        examples.windows, examples.futures, examples.memory))
    with torch.no_grad():
        poses, factors = model.informed(window, torch.zeros(len(window), HORIZON, 3), memory)
    white = torch.linalg.solve(factors.double(), wrapped(poses - future).double()[..., None])
    return (white.square().sum(dim=(-2, -1)) <= chi2.ppf(0.9, 3)).double().mean(dim=0).numpy()


def test_to_calibrate_twice_is_to_calibrate_once():
    model, examples = motion_model(), dataset.join([random_examples(2), random_examples(3)])
    calibrate(model, [examples])
    once = model.calibration.clone()
    calibrate(model, [examples])
    torch.testing.assert_close(model.calibration, once, rtol=1e-4, atol=0.0)
