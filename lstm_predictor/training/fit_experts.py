"""Least-squares fit of the linear predictors inside the model."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lstm_predictor.model import segments
from lstm_predictor.model.experts import COMMANDS, Experts, POSES, RING
from lstm_predictor.model.window import FEATURE, SLOWEST
from lstm_predictor.training.sequences import measured, recent_rows, Sequence, unbroken

import numpy as np
from numpy.typing import NDArray

import torch
from torch import Tensor

Array = NDArray[np.float64]

_RIDGE = 1e-3  # in units of the mean square of a regressor
_LEVEL = 1e-4  # added to the mean of x x^T, in scaled units
_CHUNK = 2000  # rows at once


class Regression(NamedTuple):
    """What some rows of a sequence teach, in units of the robot's largest velocities."""

    regressors: Tensor  # with the changes of commands last (n, 3, K)
    target: Tensor  # (n, 3, S)
    heard: Tensor  # whether a command was in force (n,)


@dataclass
class ExpertsFit:
    """Sums over sequences, and the weights that follow."""

    experts: Experts
    gram: dict[str, Array] = field(default_factory=dict)
    moment: dict[str, Array] = field(default_factory=dict)
    information: Array = field(default_factory=lambda: np.zeros(()))
    count: int = 0

    def __post_init__(self) -> None:
        """Start without any sequence."""
        width, ends = self.experts.given.shape[1:]
        for kind in ('heard', 'blind'):
            self.gram[kind] = np.zeros((3, width, width))
            self.moment[kind] = np.zeros((3, width, ends))
        self.information = np.zeros((3, width, width))

    def add(self, sequences: Iterable[Sequence], share: float, stride: int = 1) -> None:
        """Add sequences that count for `share` of the fit together; every `stride`-th row."""
        chosen = [sequence for sequence in sequences
                  if unbroken(sequence).max(initial=0) > self.experts.rows + self.experts.horizon]
        total = sum(len(sequence.rows) for sequence in chosen)
        for sequence in chosen:
            scale = error_scale(sequence)  # (3,)
            for part in regressions(self.experts, sequence, stride):
                x = part.regressors.double().transpose(0, 1).numpy()  # (3, n, K)
                y = part.target.double().transpose(0, 1).numpy()
                heard = part.heard.numpy()
                self.information += x[:, heard].transpose(0, 2, 1) @ x[:, heard]
                self.count += int(heard.sum())
                weight = np.sqrt(share / total) / scale[:, None, None]
                for kind, rows in (('heard', heard), ('blind', np.ones_like(heard))):
                    a, b = x[:, rows] * weight, y[:, rows] * weight
                    self.gram[kind] += a.transpose(0, 2, 1) @ a
                    self.moment[kind] += a.transpose(0, 2, 1) @ b

    def solve(self) -> None:
        """Set the weights and the information of the experts."""
        past = 3 * self.experts.rows
        for axis in range(3):
            heard, moment = self.gram['heard'][axis], self.moment['heard'][axis]
            self.experts.open[axis] = _solved(heard[:past, :past], moment[:past])
            two = 2 * self.experts.rows
            self.experts.blind[axis] = _solved(
                self.gram['blind'][axis][:two, :two], self.moment['blind'][axis][:two])
            self.experts.given[axis] = 0.0
            for i in range(len(segments.ENDS)):  # a command acts on what comes after it
                size = past + i + 1
                self.experts.given[axis, :size, i] = _solved(
                    heard[:size, :size], moment[:size, i])
        width = self.information.shape[1]
        self.experts.set_information(torch.from_numpy(
            self.information / max(self.count, 1) + _LEVEL * np.eye(width)))


def regressions(experts: Experts, sequence: Sequence, stride: int = 1) -> Iterator[Regression]:
    """Yield what the rows of a sequence teach, part by part."""
    rows = torch.from_numpy(sequence.rows)
    horizon = experts.horizon
    padded = torch.cat([rows.new_zeros(RING - 1, rows.shape[1]), rows])
    windows = padded.unfold(0, RING, 1)  # (T, F, R), the newest row of each last
    since = unbroken(sequence)
    usable = np.flatnonzero((since[horizon:] >= experts.rows + horizon)
                            & measured(sequence)[:len(rows) - horizon])[::stride]
    for first in range(0, len(usable), _CHUNK):
        newest = torch.from_numpy(usable[first:first + _CHUNK])
        ring = windows[newest].transpose(1, 2) * recent_rows(since[newest]).unsqueeze(2)
        ahead = newest.unsqueeze(1) + torch.arange(horizon)
        asked = rows[ahead][:, :, COMMANDS]
        came = rows[ahead + 1][:, :, POSES].transpose(1, 2)
        scale = experts.scale(ring).unsqueeze(2)
        added = experts.average @ (asked - asked[:, :1])
        x = torch.cat([experts.regressors(ring).float(), added.transpose(1, 2)], dim=2) / scale
        yield Regression(x, (came @ experts.average.t()) / scale,
                         rows[newest, FEATURE['command_valid']] > 0.5)


def error_scale(sequence: Sequence) -> Array:
    """
    Return by how much the twist changes within half a second, forward, left and turn (3,).

    Relative to the largest velocities; no smaller than a 20th.
    """
    twists = sequence.rows[:, POSES]
    changes = (twists[10:] - twists[:-10])[unbroken(sequence)[10:] > 10]
    largest = np.maximum(np.abs(twists).max(axis=0), [SLOWEST[0], SLOWEST[0], SLOWEST[1]])
    largest[:2] = largest[:2].max()
    return np.asarray(np.maximum(np.sqrt(np.mean(changes ** 2, axis=0)) / largest, 0.05))


def _solved(gram: Array, moment: Array) -> Tensor:
    level = _RIDGE * np.trace(gram) / len(gram) + 1e-12
    return torch.from_numpy(np.linalg.solve(gram + level * np.eye(len(gram)), moment))
