"""Least-squares fit of the linear prior, and the error scale of each track."""

from collections.abc import Iterator

from lstm_predictor.baselines.kinematic import constant_velocity
from lstm_predictor.common import se2
from lstm_predictor.model.linear_prior import Arx, ROWS
from lstm_predictor.model.window import FEATURE, scales, SLOWEST
from lstm_predictor.training.batches import Source
from lstm_predictor.training.dataset import Examples

import numpy as np
from numpy.typing import NDArray

import torch

Array = NDArray[np.float64]


def twists_of(futures: Array, step: float) -> Array:
    """Return the speeds [m/s] and yaw rates [rad/s] between poses (n, H, 3): (n, H, 2)."""
    whole = np.concatenate([np.zeros_like(futures[:, :1]), futures], axis=1)
    return np.asarray(se2.log(se2.between(whole[:, :-1], whole[:, 1:]))[..., [0, 2]] / step)


def error_scales(examples: Examples, step: float) -> Array:
    """
    Return the RMS error of constant velocity in each track: position [m], heading [rad].

    (tracks, H, 2), by the number of the track; no smaller than what a robot at 5 cm/s and
    0.2 rad/s misses by 5 %.
    """
    horizon = examples.futures.shape[1]
    count = int(examples.tracks.max()) + 1
    sums, windows = np.zeros((count, horizon, 2)), np.zeros(count)
    for part in examples.chunks():
        error = part.futures - constant_velocity(part.windows.astype(float), horizon, step)
        squares = np.stack([np.sum(error[..., :2] ** 2, axis=-1),
                            se2.wrap(error[..., 2]) ** 2], axis=-1)
        np.add.at(sums, part.tracks, squares)
        np.add.at(windows, part.tracks, 1.0)
    floor = 0.05 * np.arange(1, horizon + 1)[:, None] * step * np.array(SLOWEST)
    return np.sqrt(sums / np.maximum(windows, 1.0)[:, None, None] + floor ** 2)


def fit_arx(sources: list[Source], step: float, rows: int = ROWS, ridge: float = 1e-3) -> Arx:
    """
    Return the linear predictor of least squares, every track weighted by how it moves.

    `ridge` is in units of the mean square of a regressor.
    """
    horizon = sources[0].examples.futures.shape[1]
    arx = Arx(rows, horizon)
    width = 3 * rows + horizon
    gram = {kind: np.zeros((2, width, width)) for kind in ('heard', 'blind')}
    moment = {kind: np.zeros((2, width, horizon)) for kind in gram}
    information, count = np.zeros((2, width, width)), 0
    for source in sources:
        scale = source.error_scales.mean(axis=1)  # (tracks, 2)
        for part, share in _weighed(source):
            x, y = _regression(arx, part, step)
            heard = part.windows[:, -1, FEATURE['command_valid']] > 0.5
            unit = x[:, heard] / scales(part.windows[heard].astype(float)).T[..., None]
            information += unit.transpose(0, 2, 1) @ unit
            count += int(heard.sum())
            weight = np.sqrt(share)[:, None] / scale[part.tracks]
            for kind, chosen in (('heard', heard), ('blind', np.ones_like(heard))):
                for axis in range(2):
                    a = x[axis, chosen] * weight[chosen, axis, None]
                    gram[kind][axis] += a.T @ a
                    moment[kind][axis] += a.T @ (y[chosen, :, axis] * weight[chosen, axis, None])
    level = 1e-4 * np.eye(width)
    arx.information[:] = torch.from_numpy(information / max(count, 1) + level)
    past = 3 * rows
    for axis in range(2):
        for name, kind, size in (('open', 'heard', past), ('blind', 'blind', 2 * rows)):
            getattr(arx, name)[axis] = _solve(
                gram[kind][axis][:size, :size], moment[kind][axis][:size], ridge)
        for h in range(horizon):  # a command acts on what comes after it
            size = past + h + 1
            arx.given[axis, :size, h] = _solve(
                gram['heard'][axis][:size, :size], moment['heard'][axis][:size, h], ridge)
    return arx


def _weighed(source: Source) -> Iterator[tuple[Examples, Array]]:
    """Yield examples with their weights, part by part; those of a source sum to its fraction."""
    n = len(source.examples)
    weights = np.ones(n) if source.weights is None else source.weights
    shares = source.fraction * weights / weights.sum()
    done = 0
    for part in source.examples.chunks():
        yield part, shares[done:done + len(part)]
        done += len(part)


def _regression(arx: Arx, part: Examples, step: float) -> tuple[Array, Array]:
    """Return regressors (2, B, K) and the twists they should explain (B, H, 2)."""
    with torch.no_grad():
        seen, added = arx.regressors(
            torch.from_numpy(np.array(part.windows)), torch.from_numpy(np.array(part.commands)))
    x = torch.cat([seen, added], dim=2).double().numpy()
    return x, twists_of(part.futures.astype(float), step)


def _solve(gram: Array, moment: Array, ridge: float) -> torch.Tensor:
    level = ridge * np.trace(gram) / len(gram) + 1e-12
    return torch.from_numpy(
        np.linalg.solve(gram + level * np.eye(len(gram)), moment)).float()
