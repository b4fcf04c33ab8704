"""The map of a page: the drive, some predictions along it, and their error regions."""

from lstm_predictor.common.uncertainty import outline
from lstm_predictor.evaluation.report.plot_data import (
    decimated, end_line, evenly_spaced, rounded)
from lstm_predictor.evaluation.report.review import Disc, ellipse_of, Prediction, Review

import plotly.graph_objects as go

_POINTS = 3000  # of the drive at most
_FANS = 60  # predictions at most
_APART = 1.0  # of them at least [s]
_DRAWN = (0.5, 1.0, 2.0)  # ahead, of error regions [s]
_NEAR = 0.03  # how far from that they may be [s]
_FAR = 1.0  # ahead, from which they cover all else [s]
ROBOT = 'robot at the pointer'  # the mark that follows the pointer


def on_map(review: Review) -> list[go.Scatter]:
    """Return the traces of the map."""
    stream = review.odometry.odometry
    turned = stream.values[:, 0] + stream.values[:, 1]
    kept = decimated(turned, _POINTS)
    times = review.seconds(stream.times[kept])
    x, y = stream.values[kept, 0], stream.values[kept, 1]
    predictions = shown(review)
    return [
        go.Scatter(
            x=rounded(x), y=rounded(y), name='driven', mode='lines',
            line={'color': '#9a9a9a', 'width': 6}, customdata=rounded(times, 3),
            hovertemplate='driven: %{x:.3f} m, %{y:.3f} m at %{customdata:.2f} s<extra></extra>'),
        _fans(review, predictions),
        *(trace for trace in (_ellipses(review, predictions, far) for far in (False, True))
          if trace.x),
        go.Scatter(
            x=rounded(x[:1]), y=rounded(y[:1]), name=ROBOT, mode='markers', hoverinfo='skip',
            showlegend=False, marker={'size': 13, 'color': '#d7301f',
                                      'line': {'color': 'white', 'width': 2}})]


def shown(review: Review) -> list[Prediction]:
    """Return the predictions on the map, evenly spaced over the time."""
    times = review.seconds(prediction.anchor_ns for prediction in review.predictions)
    return [review.predictions[i] for i in evenly_spaced(times, _FANS, _APART)]


def _fans(review: Review, predictions: list[Prediction]) -> go.Scatter:
    x, y, texts = [], [], []
    for prediction in predictions:
        made, = review.seconds([prediction.anchor_ns])
        steps = slice(1, None, 2)  # every other one, the last among them
        for stamp_ns, pose in zip(prediction.stamps_ns[steps], prediction.poses[steps].tolist()):
            ahead = 1e-9 * float(stamp_ns - prediction.anchor_ns)
            x.append(pose[0])
            y.append(pose[1])
            texts.append(f'predicted at {made:.2f} s, {ahead:.2f} s ahead:'
                         f'<br>{pose[0]:.3f} m, {pose[1]:.3f} m')
        end_line(x, y, texts)
    return go.Scatter(
        x=rounded(x), y=rounded(y), text=texts, name='predicted', mode='lines',
        line={'color': '#0b559f', 'width': 1.3}, hovertemplate='%{text}<extra></extra>')


def _ellipses(review: Review, predictions: list[Prediction], far: bool) -> go.Scatter:
    """Return the near regions, or the far ones that cover all else and so are hidden at first."""
    x, y, texts = [], [], []
    for prediction in predictions:
        for disc in _chosen(prediction):
            ahead = 1e-9 * (disc.stamp_ns - prediction.anchor_ns)
            if (ahead > _FAR + _NEAR) != far:
                continue
            major, minor, _ = disc.ellipse
            line = outline(disc.center, disc.ellipse)
            x.extend(line[:, 0].tolist())
            y.extend(line[:, 1].tolist())
            texts.extend([f'90 % region {ahead:.2f} s ahead:<br>half axes {1e3 * major:.1f} mm '
                          f'and {1e3 * minor:.1f} mm'] * len(line))
            end_line(x, y, texts)
    return go.Scatter(
        x=rounded(x, 5), y=rounded(y, 5), text=texts, mode='lines',
        name=f'90 % regions {"beyond" if far else "up to"} {_FAR:g} s',
        visible='legendonly' if far else True, fill='toself', fillcolor='rgba(44,127,184,0.12)',
        hoveron='points', line={'color': '#7fb3d5', 'width': 1.0},
        hovertemplate='%{text}<extra></extra>')


def _chosen(prediction: Prediction) -> list[Disc]:
    """Return the error regions of a prediction at a few times, or those that there are."""
    discs = prediction.discs or [ellipse_of(region) for region in prediction.regions]
    few = [disc for disc in discs if any(
        abs(1e-9 * (disc.stamp_ns - prediction.anchor_ns) - at) < _NEAR for at in _DRAWN)]
    return few or discs
