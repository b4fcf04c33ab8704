"""How far predictions are from what came later, as the tables and the JSON files say it."""

from typing import Any

from lstm_predictor.core import se2
from lstm_predictor.core.conformal import CHI2_3_90

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HORIZONS = (0.1, 0.2, 0.5, 1.0, 2.0)  # [s]
# Quantiles of chi-square with 3 degrees of freedom (x, y, yaw).
CHI2_3 = {50: 2.365973884375338, 90: CHI2_3_90, 95: 7.814727903251179}


def steps_of(horizons: tuple[float, ...], rate: float) -> list[int]:
    """Return the index of the future step at each horizon [s] on a grid of `rate` [Hz]."""
    return [round(horizon * rate) - 1 for horizon in horizons]


def position_error(predicted: Array, later: Array) -> Array:
    """Return the distance [m] between poses (..., 3): (...)."""
    return np.asarray(np.hypot(*np.moveaxis((predicted - later)[..., :2], -1, 0)))


def heading_error(predicted: Array, later: Array) -> Array:
    """Return the signed difference of yaw [rad] between poses (..., 3): (...)."""
    return se2.wrap(predicted[..., 2] - later[..., 2])


def rms(values: Array) -> Array:
    """Return the root of the mean square over the first axis."""
    return np.asarray(np.sqrt(np.mean(np.square(values), axis=0)))


def mahalanobis(predicted: Array, later: Array, factors: Array) -> Array:
    """Return the squared distance (...) by error factors L (..., 3, 3), covariance L L^T."""
    error = predicted - later
    error = np.concatenate([error[..., :2], se2.wrap(error[..., 2:])], axis=-1)
    white = np.linalg.solve(factors, error[..., None])[..., 0]
    return np.asarray(np.sum(white * white, axis=-1))


def scores(predicted: Array, later: Array, factors: Array | None = None) -> dict[str, Any]:
    """
    Return one predictor's errors, a number per horizon.

    `predicted` and `later` are (n, K, 3) at K horizons, `factors` (n, K, 3, 3) in the same axes.
    A predictor that does not say how sure it is has coverage None.
    """
    coverage: dict[str, list[float | None]] = {
        f'coverage_{level}': [None] * predicted.shape[1] for level in CHI2_3}
    if factors is not None:
        distance = mahalanobis(predicted, later, factors)
        for level, quantile in CHI2_3.items():
            inside = (distance <= quantile).mean(axis=0)
            coverage[f'coverage_{level}'] = [float(share) for share in inside]
    return {
        'position_rmse_m': rms(position_error(predicted, later)).tolist(),
        'heading_rmse_rad': rms(heading_error(predicted, later)).tolist(),
        **coverage}


def group(windows: int, predictors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one group of the JSON of `evaluate`."""
    return {'windows': windows, 'horizons_s': list(HORIZONS), 'predictors': predictors}


def table(groups: dict[str, dict[str, Any]]) -> str:
    """Return the groups as text, a row per predictor and a column per horizon."""
    lines = []
    for name, content in groups.items():
        heads = ''.join(f'{horizon:>8g} s' for horizon in content['horizons_s'])
        lines.append(f'{name}: {content["windows"]} windows')
        for key, title, form in (('position_rmse_m', 'position RMSE [m]', '.4f'),
                                 ('heading_rmse_rad', 'heading RMSE [rad]', '.4f'),
                                 ('coverage_90', 'inside the 90 % region', '.1%')):
            rows = {p: s[key] for p, s in content['predictors'].items() if s[key][0] is not None}
            if rows:
                lines.append(f'  {title:<24}{heads}')
            for predictor, values in rows.items():
                cells = ''.join(f'{value:>10{form}}' for value in values)
                lines.append(f'    {predictor:<22}{cells}')
    return '\n'.join(lines)
