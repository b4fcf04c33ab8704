"""Examples cut from tracks: windows with their ground-truth futures, as on the robot."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
import hashlib
import mmap
from typing import Any

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.model.grid_pacing import GridPacing
from lstm_predictor.model.model_state import states_along
from lstm_predictor.model.response_bank import ResponseBank
from lstm_predictor.model.window import FEATURES, Window, WindowConfig
from lstm_predictor.training.track import Track

import numpy as np
from numpy.typing import NDArray

import torch

Floats = NDArray[np.float32]
_CHUNK = 4096  # windows that are made at once, to bound memory


@dataclass(frozen=True)
class Examples:
    """Windows and their ground-truth futures, in the body frame of the newest row."""

    windows: Floats  # (n, W, F)
    commands: Floats  # in force from each future step on [speed, yaw rate, known], (n, H, 3)
    futures: Floats  # pose at each future step [x [m], y [m], yaw [rad]], (n, H, 3)
    anchors_ns: NDArray[np.int64]  # stamp of the newest row, (n,)
    tracks: NDArray[np.int32]  # number of the track, not falling, (n,)
    memory: Floats  # evidence about the robot up to the newest row, (n, 2, M, 4)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, chosen: Any) -> 'Examples':
        return Examples(*(getattr(self, item.name)[chosen] for item in fields(self)))

    def chunks(self) -> Iterator['Examples']:
        """Yield all examples in parts that fit into memory."""
        for i in range(0, len(self), _CHUNK):
            yield self[i:i + _CHUNK]
            self.release()

    def release(self) -> None:
        """Release the memory of mapped pages; the next access reads the file again."""
        for item in fields(self):
            array = getattr(self, item.name)
            if isinstance(array, np.memmap):
                array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    def sha256(self) -> str:
        """Return a hash of all numbers."""
        digests = [hashlib.sha256() for _ in range(3)]
        for part in self.chunks():
            for digest, array in zip(digests, (part.windows, part.commands, part.futures)):
                digest.update(np.ascontiguousarray(array).tobytes())
        return hashlib.sha256(b''.join(digest.digest() for digest in digests)).hexdigest()


def filled_window(readings: Iterable[Odometry | Imu | Command], config: WindowConfig) -> Window:
    """Return a window of a whole track, without a limit of age."""
    window = Window(config, forget=False)
    for reading in readings:
        window.add(reading)
    return window


def window_of(track: Track, config: WindowConfig) -> Window:
    """Return a window of a whole track, with the limits of its robot."""
    return filled_window(track.readings, replace(
        config, max_speed=track.max_speed, max_yaw_rate=track.max_yaw_rate))


def usable_anchors(window: Window, horizon: int, stride: float = 1.0) -> NDArray[np.int64]:
    """
    Return odometry stamps with enough rows before and a whole horizon [steps] after them.

    They are about `stride` steps of the grid apart, picked as the node picks them.
    """
    times = window.odometry.times
    if len(times) < 2:
        return times[:0]
    step_ns = window.config.step_ns
    pacing = GridPacing(step_ns, stride)
    covered = times[window.has_coverage(times)]
    anchors = covered[np.array([pacing.take(stamp) for stamp in covered.tolist()], dtype=bool)]
    return np.asarray(anchors[window.without_gap(anchors, anchors + horizon * step_ns)])


def examples_of(track: Track, config: WindowConfig, horizon: int, stride: float = 1.0,
                number: int = 0) -> Examples:
    """Return the examples of a track, with its number."""
    window = window_of(track, config)
    return examples(window, usable_anchors(window, horizon, stride), horizon, number)


def examples(window: Window, anchors_ns: NDArray[np.int64], horizon: int, number: int = 0
             ) -> Examples:
    """Return the examples at usable anchors (n,)."""
    parts, memory = [empty(window.config.length, horizon)], ResponseBank().blank(1)
    for i in range(0, len(anchors_ns), _CHUNK):
        since = anchors_ns[max(i - 1, 0):i + _CHUNK]
        part = _examples(window, anchors_ns[i:i + _CHUNK], horizon, number)
        learned = states_along(part.windows, since, window.config.step_ns, memory)
        memory = torch.from_numpy(learned[-1:])
        parts.append(replace(part, memory=learned))
    return join(parts)


def join(parts: list[Examples]) -> Examples:
    """Return all examples as one."""
    return Examples(*(np.concatenate([getattr(part, item.name) for part in parts])
                      for item in fields(Examples)))


def _examples(window: Window, anchors_ns: NDArray[np.int64], horizon: int, number: int
              ) -> Examples:
    """Return examples without their memory."""
    step_ns = window.config.step_ns
    steps = np.arange(1, horizon + 1, dtype=np.int64) * step_ns
    ends = anchors_ns[:, None] + steps  # (n, H)
    start = window.poses(anchors_ns)[:, None]
    return Examples(
        windows=window.rows(anchors_ns).astype(np.float32),
        commands=window.commands_at(ends - step_ns)[..., [0, 1, 3]].astype(np.float32),
        futures=se2.between(start, window.poses(ends)).astype(np.float32),
        anchors_ns=anchors_ns,
        tracks=np.full(len(anchors_ns), number, dtype=np.int32),
        memory=ResponseBank().blank(0).numpy())


def empty(length: int, horizon: int) -> Examples:
    """Return no examples of windows of `length` rows and futures of `horizon` steps."""
    return Examples(
        np.zeros((0, length, len(FEATURES)), np.float32), np.zeros((0, horizon, 3), np.float32),
        np.zeros((0, horizon, 3), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int32),
        ResponseBank().blank(0).numpy())
