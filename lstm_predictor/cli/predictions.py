"""What the node published, beside constant velocity and what came later."""

from dataclasses import dataclass
from typing import Any

from lstm_predictor.core import artifact, se2
from lstm_predictor.core.classical import constant_velocity
from lstm_predictor.core.window import Window
from lstm_predictor.learning import metrics

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """Poses at the table's horizons in the odometry's frame, (n, K, 3) each."""

    published: Array
    constant_velocity: Array
    later: Array

    def group(self) -> dict[str, Any]:
        """Return the errors as one group of the JSON of `evaluate`."""
        return metrics.group(len(self.later), {
            'published': metrics.scores(self.published, self.later),
            'constant_velocity': metrics.scores(self.constant_velocity, self.later)})


def join(parts: list[Compared]) -> Compared:
    """Return all predictions as one."""
    return Compared(*(np.concatenate([getattr(part, name) for part in parts])
                      for name in ('published', 'constant_velocity', 'later')))


def compare(predicted: dict[int, Array], window: Window, contract: artifact.Contract) -> Compared:
    """
    Return predictions (H, 3), by the stamp [ns] of their newest input, beside what came later.

    Those without a whole window before and a whole horizon after them are left out; there may be
    none left.
    """
    step_ns = window.config.step_ns
    anchors = np.array(sorted(predicted), dtype=np.int64)
    anchors = anchors[window.covered(anchors) & window.without_gap(
        anchors, anchors + contract.horizon * step_ns)]
    chosen = metrics.steps_of(metrics.HORIZONS, contract.rate)
    if not len(anchors):
        return Compared(*(np.zeros((0, len(chosen), 3)) for _ in range(3)))
    ends = anchors[:, None] + step_ns * (np.array(chosen, dtype=np.int64) + 1)
    held = constant_velocity(window.rows(anchors), contract.horizon, 1.0 / contract.rate)
    return Compared(
        published=np.stack([predicted[stamp][chosen] for stamp in anchors.tolist()]),
        constant_velocity=se2.compose(window.poses(anchors)[:, None], held[:, chosen]),
        later=window.poses(ends))
