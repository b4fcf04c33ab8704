"""Whole drives as sequences of rows, as they settle on the robot."""

from typing import NamedTuple

from lstm_predictor.model.experts import RING
from lstm_predictor.model.settled_grid import SettledGrid
from lstm_predictor.model.window import FEATURE, WindowConfig
from lstm_predictor.training.dataset import window_of
from lstm_predictor.training.track import Track

import numpy as np
from numpy.typing import NDArray

import torch
from torch import Tensor


class Sequence(NamedTuple):
    """The rows of a drive; a row of zeros stands where the odometry paused."""

    name: str
    rows: NDArray[np.float32]  # (T, F)
    poses: NDArray[np.float64]  # of the odometry at each row (T, 3)


def sequence_of(track: Track, config: WindowConfig) -> Sequence:
    """Return the rows of a track."""
    window = window_of(track, config)
    times = window.odometry.times
    stamps, rows = SettledGrid(window).settle(int(times[-1]) if len(times) else 0)
    poses = window.poses(stamps) if len(stamps) else np.zeros((0, 3))
    return Sequence(track.name, rows.astype(np.float32), poses)


def measured(sequence: Sequence) -> NDArray[np.bool_]:
    """Return whether each row is at the stamp of an odometry message (T,)."""
    return np.asarray(sequence.rows[:, FEATURE['measured']] > 0.5)


def unbroken(sequence: Sequence) -> NDArray[np.int64]:
    """Return how many rows without a pause end at each row (T,)."""
    there = sequence.rows[:, FEATURE['odometry_valid']] > 0.5
    index = np.arange(len(there))
    return index - np.maximum.accumulate(np.where(there, -1, index))


def recent_rows(since: NDArray[np.int64]) -> Tensor:
    """Return a ring's mask (n, R), 1 for the newest rows without a pause, of so many (n,)."""
    back = torch.arange(RING - 1, -1, -1)
    return (back < torch.from_numpy(since).unsqueeze(1)).float()
