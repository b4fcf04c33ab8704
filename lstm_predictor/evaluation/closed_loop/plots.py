"""Pictures of the closed-loop bench: the driven paths, and error against lookahead."""

from collections.abc import Iterable
import math
from pathlib import Path
from typing import Any

from lstm_predictor.evaluation.closed_loop.case import Case
from lstm_predictor.evaluation.closed_loop.courses import COURSES

import matplotlib
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWN = ('raw', 'command_replay', 'lstm')  # methods of which the paths are shown
_COLORS = {
    'raw': 'tab:orange', 'constant_velocity': 'tab:brown', 'command_replay': 'tab:green',
    'lstm': 'tab:blue', 'lstm_compensated': 'tab:cyan', 'oracle': '0.3'}
_ELONGATED = 3.0  # as long as this times its width, a course is stretched across


def path_figures(driven: dict[Case, Array], folder: Path) -> list[Path]:
    """Write a PNG per robot and source: the positions (n, 2) [m] on every course."""
    groups: dict[tuple[str, str], dict[str, dict[Case, Array]]] = {}
    for case, positions in driven.items():
        courses = groups.setdefault((case.robot, case.source), {})
        courses.setdefault(case.course, {})[case] = positions
    return [_figure(folder / f'{robot}_{source}_paths.png', f'{robot}, {source}',
                    [(_draw_paths, course, runs) for course, runs in courses.items()])
            for (robot, source), courses in groups.items()]


def lookahead_figures(rows: list[dict[str, Any]], folder: Path) -> list[Path]:
    """Write a PNG per robot and source with a sweep: error against lookahead, by method."""
    groups: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        courses = groups.setdefault((row['robot'], row['source']), {})
        courses.setdefault(row['course'], []).append(row)
    return [_figure(folder / f'{robot}_{source}_lookahead.png', f'{robot}, {source}',
                    [(_draw_sweep, course, of_course) for course, of_course in courses.items()])
            for (robot, source), courses in groups.items()
            if len({row['lookahead_s'] for course in courses.values() for row in course}) > 1]


def _figure(file: Path, title: str, panels: list[tuple[Any, str, Any]]) -> Path:
    """Draw the panels side by side under one legend; return the file."""
    matplotlib.use('Agg')
    from matplotlib import pyplot
    columns = min(3, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure, axes = pyplot.subplots(
        lines, columns, figsize=(5.0 * columns + 1.0, 4.0 * lines + 0.8), squeeze=False,
        layout='constrained')
    labels: dict[str, Any] = {}
    for axis, (draw, name, content) in zip(axes.flat, panels):
        draw(axis, name, content)
        axis.grid(alpha=0.3, which='both')
        labels |= {label: line for line, label in zip(*axis.get_legend_handles_labels())}
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    figure.suptitle(title.replace('_', ' '))
    figure.legend(labels.values(), labels, loc='outside lower center', ncols=len(labels))
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
    return file


def _draw_paths(axis: Any, course: str, runs: dict[Case, Array]) -> None:
    plan = COURSES[course].plan.points
    axis.plot(*plan.T, color='0.6', linewidth=5.0, alpha=0.5, label='plan')
    for case, positions in runs.items():
        axis.plot(*positions.T, color=_COLORS[case.method], linewidth=1.2,
                  label=case.method.replace('_', ' '))
    title = f'{course}, looking {next(iter(runs)).lookahead:g} s ahead'
    length, width = np.ptp(plan, axis=0)
    if max(length, width) < _ELONGATED * min(length, width):
        axis.set_aspect('equal', adjustable='datalim')
    else:
        title += ', stretched across'
    axis.set_title(title.replace('_', ' '), fontsize='medium')
    axis.set_xlabel('x [m]')
    axis.set_ylabel('y [m]')


def _draw_sweep(axis: Any, course: str, rows: Iterable[dict[str, Any]]) -> None:
    from matplotlib.ticker import LogFormatter
    methods: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row['lookahead_s']):
        if row['cross_track_rmse_m'] is not None:
            methods.setdefault(row['method'], []).append(row)
    for method, sweep in methods.items():
        ahead = [row['lookahead_s'] for row in sweep]
        errors = [1000.0 * row['cross_track_rmse_m'] for row in sweep]
        axis.plot(ahead, errors, 'o-', color=_COLORS[method], label=method.replace('_', ' '))
        failed = [(x, y) for x, y, row in zip(ahead, errors, sweep) if row['failed']]
        if failed:
            axis.plot(*zip(*failed), 'x', color='tab:red', markersize=12.0, markeredgewidth=2.0,
                      linestyle='none', label='some runs failed')
    axis.set_title(course.replace('_', ' '), fontsize='medium')
    axis.set_xlabel('lookahead [s]')
    axis.set_ylabel('cross-track RMSE [mm]')
    axis.set_yscale('log')
    plain = LogFormatter(labelOnlyBase=False, minor_thresholds=(3.0, 0.5))
    axis.yaxis.set_major_formatter(plain)
    axis.yaxis.set_minor_formatter(plain)
