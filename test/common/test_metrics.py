"""The numbers in the tables are what their names say."""

from lstm_predictor.common import metrics
import numpy as np
import pytest
from scipy.stats import chi2

K = len(metrics.HORIZONS)


def gaussian(count=40_000, seed=0):
    """Return errors (n, K, 3) and the factors (n, K, 3, 3) of the covariances they are from."""
    rng = np.random.default_rng(seed)
    factors = np.tril(rng.normal(size=(count, K, 3, 3))) * 0.1
    factors[..., range(3), range(3)] = 0.02 + 0.1 * rng.random((count, K, 3))
    return (factors @ rng.normal(size=(count, K, 3, 1)))[..., 0], factors


def test_known_numbers():
    later = np.zeros((2, K, 3))
    predicted = later + np.array([[3.0, 4.0, 0.3], [0.0, 0.0, -0.4]])[:, None]
    scores = metrics.scores(predicted, later)
    assert scores['position_rmse_m'] == pytest.approx([np.sqrt(12.5)] * K)
    assert scores['heading_rmse_rad'] == pytest.approx([np.sqrt(0.125)] * K)
    assert scores['coverage_90'] == [None] * K


def test_heading_is_compared_on_the_circle():
    predicted, later = np.full((1, K, 3), 3.1), np.full((1, K, 3), -3.1)
    assert metrics.heading_error(predicted, later) == pytest.approx(6.2 - 2.0 * np.pi)
    inside = metrics.mahalanobis(predicted * [0, 0, 1], later * [0, 0, 1], np.eye(3))
    assert inside == pytest.approx((2.0 * np.pi - 6.2)**2)


@pytest.mark.parametrize('level', [50, 90, 95])
def test_the_region_of_exact_gaussian_errors_holds_what_it_should(level):
    error, factors = gaussian()
    coverage = metrics.scores(error, np.zeros_like(error), factors)[f'coverage_{level}']
    assert coverage == pytest.approx([0.01 * level] * K, abs=0.01)  # four standard deviations
    assert metrics.CHI2_3[level] == pytest.approx(chi2.ppf(0.01 * level, 3), rel=1e-9)


@pytest.mark.parametrize('factor, side', [(0.8, -1.0), (1.25, 1.0)])
def test_regions_of_the_wrong_size_are_noticed(factor, side):
    error, factors = gaussian()
    coverage = metrics.scores(error, np.zeros_like(error), factor * factors)['coverage_90']
    assert (side * (np.array(coverage) - 0.9) > 0.05).all()


@pytest.mark.parametrize('rate', [10.0, 20.0, 50.0])
def test_horizons_are_found_on_the_grid(rate):
    steps = np.array(metrics.steps_of(metrics.HORIZONS, rate)) + 1
    np.testing.assert_allclose(steps / rate, metrics.HORIZONS)


def test_the_table_shows_every_group_predictor_and_number():
    error, factors = gaussian(100)
    later = np.zeros_like(error)
    groups = {name: metrics.group(100, {
        'lstm': metrics.scores(error, later, factors),
        'constant_velocity': metrics.scores(2.0 * error, later)}) for name in ('grass', 'ice')}
    text = metrics.table(groups)
    assert 'grass: 100 windows' in text and 'ice: 100 windows' in text
    for scores in groups['ice']['predictors'].values():
        for value in scores['position_rmse_m'] + scores['heading_rmse_rad']:
            assert f'{value:.4f}' in text
    rows = [line.split()[0] for line in text.splitlines() if line.startswith('    ')]
    assert rows == ['lstm', 'constant_velocity', 'lstm', 'constant_velocity', 'lstm'] * 2
    assert f"{groups['ice']['predictors']['lstm']['coverage_90'][-1]:.1%}" in text


def test_ratios_are_to_the_best_classical_predictor_of_each_horizon():
    later = np.zeros((4, K, 3))

    def wrong(*sizes):
        return metrics.scores(later + 0.1 * np.array(sizes)[:, None], later)

    found = metrics.with_ratios({
        'lstm': wrong(*[1.0] * K), 'published': wrong(*[4.0] * K), 'oracle': wrong(*[0.1] * K),
        'ekf': wrong(2.0, 2.0, 8.0, 8.0, 0.0), 'arx': wrong(8.0, 4.0, 4.0, 2.0, 8.0)})
    for key in ('position_ratio', 'heading_ratio'):
        assert found['lstm'][key] == [*map(pytest.approx, (0.5, 0.5, 0.25, 0.5)), None]
        assert found['published'][key] == [*map(pytest.approx, (2.0, 2.0, 1.0, 2.0)), None]
        assert found['ekf'][key] == [*map(pytest.approx, (1.0, 1.0, 2.0, 4.0)), None]
    text = metrics.table({'standing': metrics.group(4, found)})
    row = next(line for line in text.splitlines() if line.split()[0] == 'ekf')
    assert row.split()[-K:] == ['1.00', '1.00', '2.00', '4.00', '-']


def test_a_robot_that_stands_is_no_excuse():
    """Errors of a fifth of a millimetre, five times the best one's."""
    later = np.zeros((1, K, 3))
    found = metrics.with_ratios({name: metrics.scores(later + error, later) for name, error in (
        ('lstm', 2e-4), ('constant_velocity', 4e-5))})
    assert found['lstm']['position_ratio'] == pytest.approx([5.0] * K)
