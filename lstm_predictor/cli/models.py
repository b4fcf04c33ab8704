"""The model as the processes of a command use it."""

from functools import cache
from pathlib import Path

from lstm_predictor.core import artifact

import torch


@cache
def model_once(path: Path) -> artifact.Artifact:
    """Return a model, read once in each process, which computes on one thread."""
    torch.set_num_threads(1)
    return artifact.load(path)
