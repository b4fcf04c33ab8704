"""Pictures of results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plot:
    """What the demo's picture shows."""

    path: Array  # to be followed (m, 2) [m]
    driven: dict[str, Array]  # true positions by run, (n, 2) [m]
    fans: dict[str, list[Array]]  # some predicted paths by run, (H, 3)
    groups: dict[str, Any]  # the groups of the JSON of `evaluate`, by run


def demo_figure(plot: Plot, file: Path) -> None:
    """Write a PNG: the driven paths with some predictions, and error against horizon."""
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplot_mosaic(
        [['path', 'position'], ['path', 'heading']], figsize=(12.0, 6.0), layout='constrained')
    _draw_paths(axes['path'], plot)
    for axis, key, label in ((axes['position'], 'position_rmse_m', 'position RMSE [m]'),
                             (axes['heading'], 'heading_rmse_rad', 'heading RMSE [rad]')):
        for line, (run, group) in zip(('o--', 'o-'), plot.groups.items()):
            for color, (name, scores) in zip(('tab:green', 'tab:red'),
                                             group['predictors'].items()):
                axis.plot(group['horizons_s'], scores[key], line, color=color,
                          label=f'{name}, {run}'.replace('_', ' '))
        axis.set_xlabel('prediction horizon [s]')
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0.0)
        axis.grid(alpha=0.3)
    axes['position'].legend()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _draw_paths(axis: Any, plot: Plot) -> None:
    closed = np.concatenate([plot.path, plot.path[:1]])
    axis.plot(*closed.T, color='0.6', linewidth=4.0, alpha=0.5, label='path to follow')
    for color, (name, positions) in zip(('tab:orange', 'tab:blue'), plot.driven.items()):
        axis.plot(*positions.T, color=color, label=f'driven {name.replace("_", " ")}')
    for number, fan in enumerate(list(plot.fans.values())[-1]):
        axis.plot(fan[:, 0], fan[:, 1], color='tab:green', linewidth=1.0,
                  label='' if number else 'some predictions, 2 s')
    axis.set_aspect('equal')
    axis.set_xlabel('x [m]')
    axis.set_ylabel('y [m]')
    axis.grid(alpha=0.3)
    axis.legend(loc='upper center', bbox_to_anchor=(0.5, -0.1), ncols=2)
