"""
The state of the model that runs with a robot: what it has learned of it on the way.

The state is one opaque value to all others: today the evidence of the response bank, a tensor
(1, 2, M, 4). The node advances it once per step of the grid (`LoadedModel.step`, called by
`prediction/observer.py`); training computes it along whole tracks with `states_along`. Both give
the same states.
"""

from typing import NamedTuple

from lstm_predictor.model.response_bank import MAX_NEW_ROWS, ResponseBank
from lstm_predictor.model.window import scales

import numpy as np
from numpy.typing import NDArray

import torch

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
ModelState = Array

_CHUNK = 4096  # windows at once, to bound memory


class StepOutput(NamedTuple):
    """What one more step of a robot gives."""

    poses: Array  # predicted with unknown future commands (H, 3), body frame of the newest row
    factors: Array  # Cholesky factors of their error covariances (H, 3, 3)
    timing: tuple[float, float, float]  # input delay, lag of the speed, of the yaw rate [s]
    state: ModelState  # with the new rows added


def rows_between(anchors_ns: NDArray[np.int64], step_ns: int) -> NDArray[np.int64]:
    """Return how many rows each window (n,) has that the one before has not: (n,)."""
    steps = np.round(np.diff(anchors_ns) / step_ns)
    return np.clip(np.concatenate([[MAX_NEW_ROWS], steps]), 1, MAX_NEW_ROWS).astype(np.int64)


def states_along(windows: Floats, anchors_ns: NDArray[np.int64], step_ns: int,
                 memory: torch.Tensor | None = None) -> Floats:
    """
    Return the evidence about one robot up to each of its windows (n, W, F): (n, 2, M, 4).

    `anchors_ns` are their stamps and, where they go on from a `memory`, the one before them.
    """
    response = ResponseBank(1e-9 * step_ns)
    rows = rows_between(anchors_ns, step_ns)[-len(windows):]
    with torch.inference_mode():
        added = [response.evidence(
            torch.from_numpy(windows[i:i + _CHUNK]),
            torch.from_numpy(scales(windows[i:i + _CHUNK].astype(float))).float(),
            torch.from_numpy(rows[i:i + _CHUNK])) for i in range(0, len(windows), _CHUNK)]
        memory = response.blank(1) if memory is None else memory
        kept = []
        for part in (one for many in added for one in many):
            memory = response.remember(memory, part)
            kept.append(memory)
    return np.asarray(torch.cat([response.blank(0), *kept]).numpy())
