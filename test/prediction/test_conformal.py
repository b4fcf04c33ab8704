"""Regions that are adapted hold nine errors out of ten, whatever the errors are."""

from hypothesis import given, settings, strategies as st
from lstm_predictor.common import metrics
from lstm_predictor.common.uncertainty import CHI2_3_90, normalized_distance
from lstm_predictor.prediction.conformal import AdaptiveScales
import numpy as np
import pytest

RATE = 0.05
LIMITS = 0.3, 10.0
COLUMN = np.array([0])
KNOWN = np.array([[True]])


def adapted(reaches, late=0, rate=RATE):
    """Return the scale before each error, which is told `late` errors after its prediction."""
    scales = AdaptiveScales((1, 1), rate, LIMITS)
    used = []
    for i, _ in enumerate(reaches):
        used.append(float(scales.values[0, 0]))
        if i >= late:
            missed = np.array([[float(reaches[i - late] > used[i - late])]])
            scales.update(COLUMN, missed, KNOWN)
    return np.array(used)


def reaches_of(rng, count, size):
    """Return how far Gaussian errors of a size are, 1 on the border of their 90 % region."""
    return size * np.sqrt(rng.chisquare(3, count) / CHI2_3_90)


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.floats(0.4, 8.0), st.sampled_from([0, 2, 40]))
def test_nine_of_ten_errors_of_any_size_lie_inside(seed, size, late):
    reaches = reaches_of(np.random.default_rng(seed), 4000, size)
    scales = adapted(reaches, late)
    assert np.mean(reaches <= scales) == pytest.approx(0.9, abs=0.03)
    # The promise of the method: hits and misses balance but for what the scale has moved.
    assert abs(np.sum(0.1 - (reaches > scales))) * RATE < np.log(10.0 / 0.3) + RATE * (late + 1)


def test_nine_of_ten_lie_inside_when_the_errors_grow_and_shrink():
    rng = np.random.default_rng(0)
    sizes = np.exp(np.sin(np.arange(6000) / 300.0))
    reaches = reaches_of(rng, 6000, 1.0) * sizes
    assert np.mean(reaches <= 1.0) < 0.85
    assert np.mean(reaches <= adapted(reaches)) == pytest.approx(0.9, abs=0.02)


def test_heavy_tails_are_covered_as_well():
    reaches = np.abs(np.random.default_rng(0).standard_cauchy(6000))
    assert np.mean(reaches <= adapted(reaches)) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize('seed', range(3))
def test_a_region_that_is_right_stays_as_it_is(seed):
    scales = adapted(reaches_of(np.random.default_rng(seed), 6000, 1.0))
    assert abs(np.log(scales).mean()) < 0.03
    assert 0.7 < scales.min() and scales.max() < 1.4


@pytest.mark.parametrize('reached, limit', [(0.0, LIMITS[0]), (1e9, LIMITS[1])])
def test_the_scale_stays_within_its_limits_and_leaves_them_again(reached, limit):
    assert adapted(np.full(3000, reached))[-1] == pytest.approx(limit)
    back = adapted(np.append(np.full(3000, reached), reaches_of(
        np.random.default_rng(0), 3000, 1.0)))
    assert back[-1] == pytest.approx(1.0, abs=0.3)


def test_what_is_not_known_changes_nothing_and_every_scale_has_its_own():
    scales = AdaptiveScales((2, 3), RATE, LIMITS)
    missed, known = np.ones((2, 2)), np.array([[True, False], [False, True]])
    scales.update(np.array([0, 2]), missed, known)
    changed = scales.values > 1.0
    assert changed.tolist() == [[True, False, False], [False, False, True]]
    scales.update(np.array([1]), np.full((2, 1), np.nan), np.zeros((2, 1), dtype=bool))
    assert np.isfinite(scales.values).all()
    scales.reset()
    assert (scales.values == 1.0).all()


@given(st.integers(0, 2**31))
def test_normalized_distance_is_the_distance_that_the_tables_take(seed):
    rng = np.random.default_rng(seed)
    factors = np.tril(rng.normal(size=(5, 3, 3)), -1) + np.eye(3) * rng.uniform(0.1, 2.0, 3)
    predicted, later = rng.uniform(-1.0, 1.0, size=(2, 5, 3))
    expected = np.sqrt(metrics.mahalanobis(predicted, later, factors) / CHI2_3_90)
    found = normalized_distance(predicted - later, factors)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
