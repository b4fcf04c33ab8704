"""Tracks into windows with their futures, by the same window code that runs on the robot."""

from collections.abc import Iterable
from dataclasses import dataclass
import hashlib

from lstm_predictor.core import se2
from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.core.window import Window, WindowConfig

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_CHUNK = 4096  # windows that are made at once, to bound memory


@dataclass(frozen=True)
class Examples:
    """Windows and what came after, all in the body frame of the newest row."""

    windows: Floats  # (n, W, F)
    commands: Floats  # in force from each future step on [speed, yaw rate, known], (n, H, 3)
    futures: Floats  # pose at each future step [x [m], y [m], yaw [rad]], (n, H, 3)
    anchors_ns: NDArray[np.int64]  # stamp of the newest row, (n,)

    def __len__(self) -> int:
        return len(self.windows)

    def sha256(self) -> str:
        """Return a hash of all numbers."""
        digest = hashlib.sha256()
        for array in (self.windows, self.commands, self.futures):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def filled_window(readings: Iterable[Odometry | Imu | Command], config: WindowConfig) -> Window:
    """Return a window that has heard a whole track and forgotten nothing."""
    window = Window(config, forget=False)
    for reading in readings:
        window.add(reading)
    return window


def usable_anchors(window: Window, horizon: int, stride: float = 1.0) -> NDArray[np.int64]:
    """
    Return odometry stamps with a whole window before and a whole horizon [steps] after them.

    They are at least about `stride` steps of the grid apart.
    """
    times = window.odometry.times
    if len(times) < 2:
        return times[:0]
    step_ns = window.config.step_ns
    _, first = np.unique((times - times[0]) // round(stride * step_ns), return_index=True)
    anchors = times[first]
    usable = window.covered(anchors) & window.without_gap(anchors, anchors + horizon * step_ns)
    return np.asarray(anchors[usable])


def examples(window: Window, anchors_ns: NDArray[np.int64], horizon: int) -> Examples:
    """Return the examples at usable anchors (n,)."""
    parts = [_examples(window, anchors_ns[i:i + _CHUNK], horizon)
             for i in range(0, max(len(anchors_ns), 1), _CHUNK)]
    return join(parts)


def join(parts: list[Examples]) -> Examples:
    """Return all examples as one."""
    return Examples(*(np.concatenate([getattr(part, name) for part in parts])
                      for name in ('windows', 'commands', 'futures', 'anchors_ns')))


def _examples(window: Window, anchors_ns: NDArray[np.int64], horizon: int) -> Examples:
    step_ns = window.config.step_ns
    steps = np.arange(1, horizon + 1, dtype=np.int64) * step_ns
    ends = anchors_ns[:, None] + steps  # (n, H)
    start = window.poses(anchors_ns)[:, None]
    return Examples(
        windows=window.rows(anchors_ns).astype(np.float32),
        commands=window.commands_at(ends - step_ns)[..., [0, 1, 3]].astype(np.float32),
        futures=se2.between(start, window.poses(ends)).astype(np.float32),
        anchors_ns=anchors_ns)
