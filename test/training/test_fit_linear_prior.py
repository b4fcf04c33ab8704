"""The error scales of training: how large the errors of constant velocity are in a track."""

from dataclasses import replace

from helpers.models import random_examples
from hypothesis import given, settings, strategies as st
from lstm_predictor.baselines.kinematic import constant_velocity
from lstm_predictor.common.se2 import integrate
from lstm_predictor.training import fit_linear_prior
import numpy as np
import pytest

STEP = 0.05  # [s]


@settings(max_examples=30)
@given(st.integers(0, 2**31 - 1), st.sampled_from([0.0, 1e-3, 1.0, 10.0]))
def test_twists_lead_along_the_poses(seed, size):
    twists = size * np.random.default_rng(seed).normal(size=(3, 40, 2))
    found = fit_linear_prior.twists_of(integrate(twists, STEP), STEP)
    np.testing.assert_allclose(found, twists, atol=1e-6 * max(size, 1.0))


def missed(examples, position, heading):
    """Return the examples with futures that constant velocity misses by so much."""
    held = constant_velocity(examples.windows.astype(float), 40, STEP)
    return replace(examples, futures=(held + [position, 0.0, heading]).astype(np.float32))


def test_an_error_scale_is_the_error_of_constant_velocity_in_that_track():
    found = fit_linear_prior.error_scales(missed(random_examples(), 3.0, 0.5), STEP)
    assert found.shape == (2, 40, 2)
    floor = 0.05 * STEP * np.arange(1, 41)[:, None] * [0.05, 0.2]
    np.testing.assert_allclose(found, np.broadcast_to(
        np.hypot([3.0, 0.5], floor), found.shape), rtol=1e-4)


def test_each_track_has_its_own():
    examples = random_examples()
    parts = [missed(examples[examples.tracks == i], float(1 + i), 0.1) for i in range(2)]
    whole = replace(examples, futures=np.concatenate([part.futures for part in parts]))
    found = fit_linear_prior.error_scales(whole, STEP)
    np.testing.assert_allclose(found[1, :, 0] / found[0, :, 0], 2.0, rtol=1e-3)


def test_a_robot_that_stands_has_one_as_well():
    found = fit_linear_prior.error_scales(missed(random_examples(), 0.0, 0.0), STEP)
    assert (found > 0.0).all() and (np.diff(found, axis=1) > 0.0).all()
    assert found[0, -1] == pytest.approx([0.05 * 2.0 * 0.05, 0.05 * 2.0 * 0.2], rel=1e-2)
