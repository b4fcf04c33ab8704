"""Examples on disk as memory-mapped arrays: more of them than fit into memory."""

from collections.abc import Iterable
from dataclasses import asdict, fields
import hashlib
import json
from pathlib import Path
import shutil
import tempfile
from typing import Any

import lstm_predictor
from lstm_predictor.core.window import WindowConfig
from lstm_predictor.learning.dataset import empty, Examples

import numpy as np

# What decides the numbers of an example beside the configuration.
_SOURCES = ('bags.py', 'core/se2.py', 'core/samples.py', 'core/clock.py', 'core/stream.py',
            'core/window.py', 'core/arx.py', 'core/classical.py', 'core/response.py',
            'learning/tracks.py', 'learning/fleet.py',
            'learning/dataset.py', 'learning/parallel.py', 'learning/recordings.py',
            'learning/mishaps.py',
            'sim/__init__.py', 'sim/actuation.py', 'sim/courses.py', 'sim/drivers.py',
            'sim/plant.py', 'sim/pursuit.py', 'sim/readings.py', 'sim/robot.py',
            'sim/robot_config.py', 'sim/sensors.py', 'sim/slip_patches.py',
            'sim/turtlebot3_burger.xml')


def key(what: Any) -> str:
    """Return a name for the examples of a configuration, other with every other code."""
    digest = hashlib.sha256(json.dumps(what, sort_keys=True, default=asdict).encode())
    root = Path(lstm_predictor.__file__).parent
    for pattern in _SOURCES:
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def write(folder: Path, parts: Iterable[Examples], config: WindowConfig, horizon: int) -> None:
    """Write examples part by part; the folder appears when all is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f'{folder.name}.', dir=folder.parent))
    count = 0
    none = empty(config.length, horizon)
    try:
        files = {item.name: open(partial / item.name, 'wb') for item in fields(Examples)}
        for part in parts:
            for name, file in files.items():
                file.write(np.ascontiguousarray(getattr(part, name)).tobytes())
            count += len(part)
        for file in files.values():
            file.close()
        shapes = {name: (str(getattr(none, name).dtype), (count, *getattr(none, name).shape[1:]))
                  for name in files}
        (partial / 'shapes.json').write_text(json.dumps(shapes))
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read(folder: Path) -> Examples | None:
    """Return the examples in a folder, mapped and not loaded, or None where there are none."""
    try:
        shapes = json.loads((folder / 'shapes.json').read_text())
    except FileNotFoundError:
        return None
    return Examples(**{
        name: np.memmap(folder / name, dtype=kind, mode='r', shape=tuple(shape))
        if shape[0] else np.zeros(shape, kind)
        for name, (kind, shape) in shapes.items()})
