"""Training examples as memory-mapped .npy files: more of them than fit into memory."""

from collections.abc import Iterable
from dataclasses import asdict, fields
import hashlib
import json
from pathlib import Path
from typing import Any

import lstm_predictor
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.training.array_files import (
    append, completed, file_of, opened, write_header)
from lstm_predictor.training.dataset import empty, Examples

import numpy as np

# The code that the numbers of an example depend on, beside the configuration.
_SOURCES = ('common/*.py', 'sensor_checks/*.py', 'recordings/*.py', 'simulation/*',
            'model/window.py', 'model/grid_pacing.py', 'model/linear_prior.py',
            'model/response_bank.py', 'model/model_state.py',
            'training/dataset.py', 'training/disturbances.py', 'training/parallel.py',
            'training/recorded_tracks.py',
            'training/simulated_fleet.py', 'training/track.py')
_NAMES = tuple(item.name for item in fields(Examples))


def key(what: Any) -> str:
    """Return the name of the examples of a configuration, which changes with their code."""
    digest = hashlib.sha256(json.dumps(what, sort_keys=True, default=asdict).encode())
    root = Path(lstm_predictor.__file__).parent
    for pattern in _SOURCES:
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def write(folder: Path, parts: Iterable[Examples], config: WindowConfig, horizon: int) -> None:
    """Write examples part by part; the folder appears once all of them are written."""
    none = empty(config.length, horizon)
    count = 0
    with completed(folder) as partial, opened(partial, _NAMES) as files:
        for name, file in files.items():
            write_header(file, getattr(none, name), 0)
        for part in parts:
            for name, file in files.items():
                append(file, getattr(part, name))
            count += len(part)
        for name, file in files.items():
            file.seek(0)
            write_header(file, getattr(none, name), count)


def read(folder: Path) -> Examples | None:
    """Return the examples in a folder, mapped and not loaded, or None where there are none."""
    try:
        return Examples(*(np.load(file_of(folder, name), mmap_mode='r') for name in _NAMES))
    except FileNotFoundError:
        return None
