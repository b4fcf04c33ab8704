"""Error metrics of predictions, and their tables and JSON."""

import math
from typing import Any

from lstm_predictor.common import se2
from lstm_predictor.common.uncertainty import CHI2_3, squared_mahalanobis

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HORIZONS = (0.1, 0.2, 0.5, 1.0, 2.0)  # [s]
START = 20.0  # of a drive, scored apart as well [s]
# Networks, and what is told what no robot knows: its delay and lag, or its commands.
_NOT_CLASSICAL = ('lstm', 'published', 'oracle', 'command_replay_told')
_RATIOS = {'position_rmse_m': 'position_ratio', 'heading_rmse_rad': 'heading_ratio'}


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
    return squared_mahalanobis(error, factors)


def scores(predicted: Array, later: Array, factors: Array | None = None) -> dict[str, Any]:
    """
    Return one predictor's errors, a number per horizon.

    `predicted` and `later` are (n, K, 3) at K horizons, `factors` (n, K, 3, 3) in the same axes.
    Without `factors` the coverage is None.
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


def shown(value: float, form: str) -> str:
    """Return a number as text, a dash where it is not finite."""
    return format(value, form) if math.isfinite(value) else '-'


def group(windows: int, predictors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one group of the JSON of `evaluate`."""
    return {'windows': windows, 'horizons_s': list(HORIZONS), 'predictors': predictors}


def with_ratios(predictors: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """
    Return scores with their ratios to the best classical predictor of each horizon.

    Without a floor: a robot that stands is predicted to fractions of a millimetre by some, and
    not by others. A ratio to an error of zero is None.
    """
    classical = [one for name, one in predictors.items() if name not in _NOT_CLASSICAL]
    best = {key: np.min([one[key] for one in classical], axis=0) for key in _RATIOS}
    return {name: {**one, **{
        ratio: [value / least if least > 0.0 else None
                for value, least in zip(one[key], best[key].tolist())]
        for key, ratio in _RATIOS.items()}} for name, one in predictors.items()}


def table(groups: dict[str, dict[str, Any]]) -> str:
    """Return the groups as text, a row per predictor and a column per horizon."""
    lines = []
    for name, content in groups.items():
        horizons = content['horizons_s']
        lines += [f'{name}: {content["windows"]} windows', *_rows(content, horizons)]
        start = content.get('first_20_s')
        if start and start['windows']:
            lines += [f'{name}, first {START:g} s of each drive: {start["windows"]} windows',
                      *_rows(start, horizons)]
    return '\n'.join(lines)


def _ratio(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.2f}' if value < 1000.0 else '>999'


def _rows(content: dict[str, Any], horizons: list[float]) -> list[str]:
    lines = []
    for key, title, form in (('position_rmse_m', 'position RMSE [m]', '.4f'),
                             ('heading_rmse_rad', 'heading RMSE [rad]', '.4f'),
                             ('coverage_90', 'inside the 90 % region', '.1%')):
        rows = {p: s for p, s in content['predictors'].items() if s[key][0] is not None}
        ratio = _RATIOS.get(key, '')
        if rows:
            heads = ''.join(f'{horizon:>8g} s' for horizon in horizons)
            compared = any(ratio in one for one in rows.values())
            lines.append(f'  {title:<24}{heads}{"   / best classical" if compared else ""}')
        for predictor, one in rows.items():
            cells = ''.join(f'{value:>10{form}}' for value in one[key])
            shares = ''.join(f'{_ratio(share):>7}' for share in one.get(ratio, []))
            lines.append(f'    {predictor:<22}{cells}{shares}')
    return lines
