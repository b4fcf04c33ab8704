"""The figure of a page: a map on the left, and panels over time on the right."""

from typing import Any

from lstm_predictor.evaluation.report import time_panels
from lstm_predictor.evaluation.report.errors import Scored
from lstm_predictor.evaluation.report.map_panel import on_map
from lstm_predictor.evaluation.report.review import Review

import numpy as np
from numpy.typing import NDArray

import plotly.graph_objects as go
from plotly.subplots import make_subplots

Array = NDArray[np.float64]

_ROWS = ('error [m]', 'inside 90 % region [%]', 'speed [m/s]', 'yaw rate [rad/s]', 'share [%]', '')


def figure(review: Review, errors: list[Scored]) -> go.Figure:
    """Return the figure of a review with its errors."""
    drawn = make_subplots(
        rows=6, cols=2, column_widths=[0.42, 0.58], horizontal_spacing=0.08,
        vertical_spacing=0.025, row_heights=[0.21, 0.15, 0.17, 0.17, 0.15, 0.15],
        specs=[[{'rowspan': 4}, {}], *([None, {}] for _ in range(3)), [None, {}], [None, {}]])
    for trace in on_map(review):
        drawn.add_trace(trace, row=1, col=1)
    rows = (time_panels.errors(review, errors), time_panels.coverage(review),
            time_panels.commands(review, 0), time_panels.commands(review, 1),
            time_panels.weights(review), time_panels.problems(review))
    for number, (traces, title) in enumerate(zip(rows, _ROWS), start=1):
        for trace in traces:
            drawn.add_trace(trace, row=number, col=2)
        drawn.update_yaxes(title_text=title, title_font_size=11, row=number, col=2)
    _arrange(drawn, review)
    return drawn


def _arrange(drawn: go.Figure, review: Review) -> None:
    # Large error regions may reach out of the map; the drive fills it.
    x, y = review.odometry.odometry.values[:, :2].T
    drawn.update_xaxes(title_text='x [m]', title_standoff=4, range=_around(x), row=1, col=1)
    drawn.update_yaxes(title_text='y [m]', range=_around(y), scaleanchor='x', row=1, col=1)
    times = review.seconds(review.odometry.odometry.times[[0, -1]])
    drawn.update_xaxes(matches='x2', showticklabels=False, col=2)
    drawn.update_xaxes(range=times.tolist(), row=1, col=2)
    drawn.update_xaxes(
        title_text='time since the beginning [s]', showticklabels=True, row=6, col=2)
    drawn.update_yaxes(rangemode='tozero', row=1, col=2)
    for row in (2, 5):
        drawn.update_yaxes(range=[0.0, 103.0], row=row, col=2)
    drawn.add_hline(90.0, line_width=1, line_dash='dot', line_color='#888888', row=2, col=2)
    for row, column in ((3, 3), (4, 4)):
        values = [review.odometry.odometry.values[:, column], *(
            np.array([command[column - 2] for command in commands])
            for commands in review.commands.values())]
        drawn.update_yaxes(range=_usual(np.concatenate(values)), row=row, col=2)
    drawn.update_yaxes(type='category', tickfont_size=10, automargin=True, row=6, col=2)
    if not review.problems:
        drawn.update_yaxes(showticklabels=False, row=6, col=2)
        drawn.add_annotation(text='no warning and no error', showarrow=False, row=6, col=2,
                             x=float(times.mean()), y=0.5)
    drawn.update_layout(
        template='plotly_white', height=980, margin={'l': 60, 'r': 20, 't': 20, 'b': 50},
        # However far the pointer is from the lines, it shows where the robot was.
        hovermode='closest', hoverdistance=-1, font_size=12, legend=_legend(0.0),
        legend2=_legend(0.17))
    # What is on the time axes only has its names in the second column.
    drawn.for_each_trace(lambda trace: trace.update(legend='legend2'), row=None, col=2,
                         selector=lambda trace: not (trace.name or '').endswith('ahead'))


def _legend(x: float) -> dict[str, Any]:
    """Return the place of a column of names under the map."""
    return {'x': x, 'y': 0.235, 'xanchor': 'left', 'yanchor': 'top', 'font_size': 11,
            'bgcolor': 'rgba(0,0,0,0)', 'tracegroupgap': 0}


def _around(values: Array) -> list[float]:
    """Return a range for an axis of the map with all values in it."""
    low, high = float(values.min()), float(values.max())
    margin = 0.1 * (high - low) + 0.1
    return [low - margin, high + margin]


def _usual(values: Array) -> list[float]:
    """Return a range for an axis; single absurd values are there, but out of sight."""
    low, high = np.quantile(values, [0.002, 0.998]).tolist()
    margin = 0.08 * (high - low) + 0.01
    return [min(low, 0.0) - margin, max(high, 0.0) + margin]
