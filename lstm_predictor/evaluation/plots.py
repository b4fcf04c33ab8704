"""Figures of the demo and of `evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_predictor.common.metrics import HORIZONS, mahalanobis
from lstm_predictor.evaluation.scores import Outcome

import matplotlib
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plot:
    """The data of the demo's figure."""

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


def evaluation_figures(outcomes: dict[str, Outcome], groups: dict[str, Any], folder: Path
                       ) -> list[Path]:
    """Write a PNG per group (error against horizon, calibration, some fans); return the files."""
    matplotlib.use('Agg')
    from matplotlib import pyplot
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, outcome in outcomes.items():
        figure, axes = pyplot.subplot_mosaic(
            [['position', 'heading'], ['calibration', 'fans']], figsize=(13.0, 10.0),
            layout='constrained')
        figure.suptitle(f'{name}: {len(outcome)} windows')
        _draw_errors(axes['position'], groups[name], 'position_rmse_m', 'position RMSE [m]')
        _draw_errors(axes['heading'], groups[name], 'heading_rmse_rad', 'heading RMSE [rad]')
        _draw_calibration(axes['calibration'], outcome)
        _draw_fans(axes['fans'], outcome)
        files.append(folder / f'{name.replace("/", "_")}.png')
        figure.savefig(files[-1], dpi=90)
        pyplot.close(figure)
    return files


def _draw_errors(axis: Any, group: dict[str, Any], key: str, label: str) -> None:
    for name, scores in group['predictors'].items():
        ours = name in ('lstm', 'published')
        axis.plot(group['horizons_s'], scores[key], 'o-' if ours else '.--',
                  linewidth=2.0 if ours else 1.0, label=name.replace('_', ' '))
    axis.set_xlabel('prediction horizon [s]')
    axis.set_ylabel(label)
    axis.set_xscale('log')
    axis.set_yscale('log')
    axis.grid(alpha=0.3, which='both')
    axis.legend(fontsize='small')


def _draw_calibration(axis: Any, outcome: Outcome) -> None:
    """Draw the coverage of the regions against the nominal coverage."""
    from scipy.stats import chi2
    nominal = np.linspace(0.02, 0.99, 40)
    axis.plot(nominal, nominal, color='0.6', label='nominal')
    for style, (name, factors) in zip(('-', '--'), outcome.factors.items()):
        for i, horizon in ((0, HORIZONS[0]), (2, HORIZONS[2]), (4, HORIZONS[4])):
            distance = mahalanobis(
                outcome.poses[name][:, i], outcome.later[:, i], factors[:, i])
            inside = (distance[:, None] <= chi2.ppf(nominal, 3)).mean(axis=0)
            axis.plot(nominal, inside, style, label=f'{name}, {horizon:g} s')
    axis.set_xlabel('nominal coverage')
    axis.set_ylabel('observed coverage')
    axis.grid(alpha=0.3)
    axis.legend(fontsize='small')


def _draw_fans(axis: Any, outcome: Outcome) -> None:
    for number, (later, fan) in enumerate(outcome.fans[:8]):
        axis.plot(later[:, 0], later[:, 1], color='0.3', linewidth=3.0, alpha=0.4,
                  label='' if number else 'ground truth')
        for color, (name, poses) in zip(('tab:red', 'tab:blue'), fan.items()):
            axis.plot(poses[:, 0], poses[:, 1], color=color, linewidth=1.0,
                      label='' if number else name.replace('_', ' '))
    axis.set_aspect('equal', adjustable='datalim')
    axis.set_xlabel('ahead of the robot [m]')
    axis.set_ylabel('to its left [m]')
    axis.grid(alpha=0.3)
    axis.legend(fontsize='small')
