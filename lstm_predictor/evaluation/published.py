"""Errors of the predictions that the node published, next to model and constant velocity."""

from dataclasses import dataclass
from typing import Any

from lstm_predictor.baselines.kinematic import constant_velocity
from lstm_predictor.common import metrics, se2
from lstm_predictor.evaluation.scores import model_poses
from lstm_predictor.model.model_file import LoadedModel, open_commands
from lstm_predictor.model.window import Window
from lstm_predictor.training import dataset

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PREDICTORS = ('published', 'lstm', 'constant_velocity')


@dataclass(frozen=True)
class Compared:
    """Poses at the table's horizons in the odometry's frame, (n, K, 3) each."""

    published: Array
    lstm: Array  # the model alone, from the same windows
    constant_velocity: Array
    later: Array  # true poses, from the odometry

    def group(self) -> dict[str, Any]:
        """Return the errors as one group of the JSON of `evaluate`."""
        return metrics.group(len(self.later), {
            name: metrics.scores(getattr(self, name), self.later) for name in _PREDICTORS})


def join(parts: list[Compared]) -> Compared:
    """Return the comparisons of several drives as one."""
    return Compared(*(np.concatenate([getattr(part, name) for part in parts])
                      for name in (*_PREDICTORS, 'later')))


def compare(predicted: dict[int, Array], window: Window, model: LoadedModel) -> Compared:
    """
    Return predictions (H, 3), by the stamp [ns] of their newest input, with the true poses.

    Those without a whole window before and a whole horizon after them are left out; none may
    remain.
    """
    contract, step_ns = model.contract, window.config.step_ns
    anchors = np.array(sorted(predicted), dtype=np.int64)
    anchors = anchors[window.has_coverage(anchors) & window.without_gap(
        anchors, anchors + contract.horizon * step_ns)]
    chosen = metrics.steps_of(metrics.HORIZONS, contract.rate)
    if not len(anchors):
        return Compared(*(np.zeros((0, len(chosen), 3)) for _ in (*_PREDICTORS, 'later')))
    ends = anchors[:, None] + step_ns * (np.array(chosen, dtype=np.int64) + 1)
    examples = dataset.examples(window, anchors, contract.horizon)
    held = constant_velocity(examples.windows, contract.horizon, 1.0 / contract.rate)
    alone, _ = model_poses(model, examples.windows, open_commands(
        len(examples), contract.horizon), examples.memory)
    starts = window.poses(anchors)[:, None]
    return Compared(
        published=np.stack([predicted[stamp][chosen] for stamp in anchors.tolist()]),
        lstm=se2.compose(starts, alone[:, chosen]),
        constant_velocity=se2.compose(starts, held[:, chosen]),
        later=window.poses(ends))
