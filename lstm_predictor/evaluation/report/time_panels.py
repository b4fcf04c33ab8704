"""The panels of a page over time: errors, coverage, commands, mixture weights, problems."""

from lstm_predictor.evaluation.report.errors import Scored
from lstm_predictor.evaluation.report.plot_data import decimated, end_line, rounded
from lstm_predictor.evaluation.report.review import LEVELS, Review

import numpy as np

import plotly.graph_objects as go

_POINTS = 1500  # of a line at most
_HORIZON_COLORS = {0.2: '#1b9e77', 0.5: '#e6ab02', 1.0: '#7b3294', 2.0: '#d7301f'}
_COMMAND_LINES = {'asked for': ('#999999', 'dot'), 'sent to the robot': ('#e6550d', 'solid')}
_SHARE_COLORS = {'lstm': '#74a9cf', 'constant_turn': '#fdae6b', 'arx_online': '#a1d99b'}
_LEVEL_COLORS = {'warning': '#fe9929', 'error': '#cb181d', 'stale': '#756bb1'}


def errors(review: Review, found: list[Scored]) -> list[go.Scatter]:
    """Return the errors at each horizon, at the time that was predicted."""
    traces = []
    for scored in found:
        kept = decimated(scored.errors, _POINTS)
        traces.append(go.Scatter(
            x=rounded(review.seconds(scored.stamps_ns[kept]), 3), y=rounded(scored.errors[kept]),
            name=f'{scored.horizon:g} s ahead', legendgroup=f'{scored.horizon:g}', mode='lines',
            line={'color': _HORIZON_COLORS[scored.horizon], 'width': 1.2},
            hovertemplate=f'predicted {scored.horizon:g} s before: off by %{{y:.4f}} m '
                          'at %{x:.2f} s<extra></extra>'))
    return traces


def coverage(review: Review) -> list[go.Scatter]:
    """Return the coverage of the 90 % regions, as the predictor counts it online."""
    traces = []
    for horizon, color in _HORIZON_COLORS.items():
        known = [state for state in review.mixture_states if horizon in state.coverage]
        if known:
            values = np.array([100.0 * state.coverage[horizon] for state in known])
            times = review.seconds(state.stamp_ns for state in known)
            kept = decimated(values, _POINTS // 2)
            traces.append(go.Scatter(
                x=rounded(times[kept], 3), y=rounded(values[kept], 1), mode='lines',
                legendgroup=f'{horizon:g}', name=f'coverage {horizon:g} s ahead',
                showlegend=False, line={'color': color, 'width': 1.2},
                hovertemplate=f'{horizon:g} s ahead: %{{y:.0f}} % of the latest errors lay '
                              'inside<extra></extra>'))
    return traces


def commands(review: Review, which: int) -> list[go.Scatter]:
    """Return the speeds (0) or the yaw rates (1): measured and commanded."""
    unit = ('m/s', 'rad/s')[which]
    stream = review.odometry.odometry
    lines = [('driven (odometry)', stream.times, stream.values[:, 3 + which], '#333333', 'solid')]
    for name, given in review.commands.items():
        lines.append((f'command {name}', np.array([c.stamp_ns for c in given]),
                      np.array([c[1 + which] for c in given]), *_COMMAND_LINES[name]))
    traces = []
    for name, stamps_ns, values, color, dash in lines:
        kept = decimated(values, _POINTS)
        is_command = name.startswith('command')
        traces.append(go.Scatter(
            x=rounded(review.seconds(stamps_ns[kept]), 3), y=rounded(values[kept]), name=name,
            legendgroup=name, showlegend=which == 0, mode='lines',
            line={'color': color, 'width': 1.2, 'dash': dash,
                  'shape': 'hv' if is_command else 'linear'},
            hovertemplate=f'{name}: %{{y:.3f}} {unit} at %{{x:.2f}} s<extra></extra>'))
    return traces


def weights(review: Review) -> list[go.Scatter]:
    """Return the weight of each predictor, and when the dominant one changed."""
    known = [state for state in review.mixture_states if state.weights]
    if not known:
        return []
    names = list(known[0].weights)
    first = np.array([state.weights[names[0]] for state in known])
    times = review.seconds(state.stamp_ns for state in known)
    kept = decimated(first, _POINTS // 2)
    traces = [go.Scatter(
        x=rounded(times[kept], 3),
        y=rounded([100.0 * known[i].weights.get(name, 0.0) for i in kept], 1),
        name=f'share of {name}', legendgroup=f'share {name}', mode='lines', stackgroup='shares',
        hoveron='points',
        line={'width': 0.5, 'color': _SHARE_COLORS.get(name)},
        hovertemplate=f'{name}: %{{y:.0f}} % at %{{x:.2f}} s<extra></extra>') for name in names]
    changes = review.switches()
    traces.append(go.Scatter(
        x=rounded(review.seconds(change.stamp_ns for change, _, _ in changes), 3),
        y=[50.0] * len(changes), name='hand-over', mode='markers',
        marker={'symbol': 'diamond', 'size': 8, 'color': '#111111'},
        text=[f'{before} hands over to {after}'
              + (f':<br>{_wrapped(change.reason)}' if change.reason else '')
              for change, before, after in changes],
        hovertemplate='%{text}<br>at %{x:.2f} s<extra></extra>'))
    return traces


def problems(review: Review) -> list[go.Scatter]:
    """Return when there was a warning, an error or a stale status."""
    traces = []
    for number, level in enumerate(LEVELS):
        chosen = [problem for problem in review.problems if problem.level == number]
        if not chosen:
            continue
        x, y, texts = [], [], []
        for problem in chosen:
            begin, end = review.seconds([problem.begin_ns, problem.end_ns]).tolist()
            x.extend([begin, end])
            y.extend([_brief(problem.name)] * 2)
            texts.extend([f'{problem.name}, {level} from {begin:.1f} to {end:.1f} s:<br>'
                          + _wrapped(problem.text)] * 2)
            end_line(x, y, texts)
        traces.append(go.Scatter(
            x=rounded(x, 3), y=y, text=texts, name=level, mode='lines+markers',
            line={'width': 7, 'color': _LEVEL_COLORS[level]},
            marker={'size': 7, 'symbol': 'square'},
            hovertemplate='%{text}<extra></extra>'))
    return traces


def _brief(name: str) -> str:
    """Return the part of a name that fits beside the axis."""
    return name if len(name) <= 26 else f'{name[:25]}…'


def _wrapped(text: str, width: int = 70) -> str:
    lines = ['']
    for word in text.replace('<', '&lt;').split():
        if len(lines[-1]) + len(word) > width:
            lines.append('')
        lines[-1] = f'{lines[-1]} {word}'.strip()
    return '<br>'.join(lines)
