"""The report of the demo: a table, a figure and their numbers, from the recordings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_predictor.common import metrics, readings
from lstm_predictor.evaluation.plots import demo_figure, Plot
from lstm_predictor.evaluation.published import compare
from lstm_predictor.model import model_file
from lstm_predictor.paths import default_model
from lstm_predictor.recordings.rosbag_io import Recording
from lstm_predictor.simulation.closed_paths import cross_track
from lstm_predictor.training import dataset

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FANS = 12  # predictions drawn per run


@dataclass(frozen=True)
class Report:
    """The table as text and as numbers."""

    text: str
    numbers: dict[str, Any]


def make(bags: dict[str, Path], path: Array, out: Path) -> Report:
    """Return the report of the runs and write `demo.png`."""
    model = model_file.load(Path(default_model()))
    groups, driven, fans = {}, {}, {}
    for name, bag in bags.items():
        predicted, truth = _read(bag)
        with Recording(bag) as recording:
            window = dataset.filled_window(
                recording.readings(), model.contract.window_config(0.22, 2.84))
        groups[name] = compare(predicted, window, model).group()
        driven[name] = truth
        stamps = sorted(predicted)
        fans[name] = [predicted[stamp] for stamp in stamps[::max(1, len(stamps) // _FANS)]]
    tracks = {name: cross_track(path, truth[_moving(truth)]) for name, truth in driven.items()}
    numbers = {'groups': groups, 'cross_track_rmse_m': {
        name: float(metrics.rms(errors)) for name, errors in tracks.items()},
        'cross_track_max_m': {name: float(errors.max()) for name, errors in tracks.items()}}
    demo_figure(Plot(path, driven, fans, groups), out / 'demo.png')
    return Report(metrics.table(groups) + '\n' + _cross_track_table(numbers), numbers)


def _read(bag: Path) -> tuple[dict[int, Array], Array]:
    """Return predicted poses by the stamp of their input, and the true positions (n, 2) [m]."""
    predicted, truth = {}, []
    with Recording(bag) as recording:
        for message in recording.messages_on('/predicted_path', '/ground_truth'):
            content = message.decoded()
            if message.topic == '/predicted_path':
                predicted[readings.stamp_ns(content.header)] = np.array(
                    [readings.read_pose(step.pose) for step in content.poses])
            else:
                position = content.pose.pose.position
                truth.append((position.x, position.y))
    return predicted, np.array(truth)


def _moving(positions: Array) -> slice:
    """Return the part from the first motion on."""
    moved = np.hypot(*(positions - positions[0]).T) > 0.02
    return slice(int(np.argmax(moved)), None)


def _cross_track_table(numbers: dict[str, Any]) -> str:
    lines = [f'  {"cross-track error [m]":<24}{"RMSE":>10}{"largest":>10}']
    for name, rmse in numbers['cross_track_rmse_m'].items():
        largest = numbers['cross_track_max_m'][name]
        lines.append(f'    {name.replace("_", " "):<22}{rmse:>10.4f}{largest:>10.4f}')
    return '\n'.join(lines)
