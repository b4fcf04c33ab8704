"""A model and the classical predictors on the same examples."""

from typing import Any

from lstm_predictor.core.artifact import Artifact, open_commands
from lstm_predictor.core.classical import constant_velocity
from lstm_predictor.learning import metrics
from lstm_predictor.learning.dataset import Examples

import numpy as np

_BATCH = 4096


def score(artifact: Artifact, examples: Examples, known: bool) -> dict[str, Any]:
    """
    Return one group of the JSON of `evaluate`.

    `known`: every predictor is given the future commands; otherwise they are open.
    """
    contract = artifact.contract
    chosen = metrics.steps_of(metrics.HORIZONS, contract.rate)
    poses, factors, classical = [], [], []
    for i in range(0, len(examples), _BATCH):
        window = examples.windows[i:i + _BATCH].astype(float)
        commands = examples.commands[i:i + _BATCH] if known else \
            open_commands(len(window), contract.horizon)
        some_poses, some_factors = artifact.predict(window, commands)
        poses.append(some_poses[:, chosen])
        factors.append(some_factors[:, chosen])
        classical.append(constant_velocity(
            window, contract.horizon, 1.0 / contract.rate)[:, chosen])
    later = examples.futures[:, chosen].astype(float)
    return metrics.group(len(examples), {
        'lstm': metrics.scores(np.concatenate(poses), later, np.concatenate(factors)),
        'constant_velocity': metrics.scores(np.concatenate(classical), later)})
