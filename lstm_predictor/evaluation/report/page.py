"""The HTML page of a recording: one file that needs neither a server nor the network."""

from html import escape
from typing import Any

from lstm_predictor.common.metrics import position_error
from lstm_predictor.evaluation.report.errors import coverage_90, scored
from lstm_predictor.evaluation.report.figure import figure
from lstm_predictor.evaluation.report.map_panel import ROBOT
from lstm_predictor.evaluation.report.review import LEVELS, Review

import plotly.io

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 1700px; padding: 0 1rem; color: #222;
        font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }}
h1 {{ font-size: 1.3rem; margin: 0.8rem 0 0.2rem; }}
p {{ margin: 0.2rem 0; line-height: 1.4; max-width: 150ch; }}
.hint {{ color: #777; font-size: 0.85rem; }}
table {{ border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0 2rem; }}
th, td {{ text-align: left; vertical-align: top; padding: 0.15rem 1.2rem 0.15rem 0; }}
td.time {{ white-space: nowrap; font-variant-numeric: tabular-nums; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p id="summary">{summary}</p>
<p class="hint">The pointer over the time axes shows where the robot was. Drag to zoom,
double-click to zoom out; a click in the legend hides, a double-click shows one alone. A hand-over
is when another predictor gets the largest share of what is published.</p>
{figure}
{problems}
</body>
</html>
"""

_ROWS = 50  # of the table of problems
# Puts the mark on the map where the robot was at the time under the pointer.
_FOLLOW = """
const page = document.getElementById('{plot_id}');
const names = page.data.map(trace => trace.name);
const driven = page.data[names.indexOf('driven')];
const mark = names.indexOf('%s');
page.on('plotly_hover', event => {
  const point = event.points[0];
  if (point.xaxis._id === 'x') return;
  let low = 0, high = driven.customdata.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (driven.customdata[middle] < point.x) low = middle + 1; else high = middle;
  }
  Plotly.restyle(page, {x: [[driven.x[low]]], y: [[driven.y[low]]]}, [mark]);
});
""" % ROBOT


def page(review: Review) -> tuple[str, dict[str, Any]]:
    """Return the page of a review and the numbers in it."""
    errors = scored(review)
    found = numbers(review)
    drawn = figure(review, errors)
    return _PAGE.format(
        title=escape(f'{review.name}: where the robot went, and where it was predicted to be'),
        summary=escape(sentence(found)), problems=_problem_table(review),
        figure=plotly.io.to_html(
            drawn, include_plotlyjs=True, full_html=False, div_id='review', post_script=_FOLLOW,
            config={'displaylogo': False, 'responsive': True, 'scrollZoom': True})), found


def _problem_table(review: Review) -> str:
    """Return a table of the problems, the first ones where there are many."""
    if not review.problems:
        return ''
    rows = []
    for problem in review.problems[:_ROWS]:
        begin, end = review.seconds([problem.begin_ns, problem.end_ns]).tolist()
        rows.append(
            f'<tr><td class="time">{begin:.1f} to {end:.1f} s</td><td>{LEVELS[problem.level]}</td>'
            f'<td>{escape(problem.name)}</td><td>{escape(problem.text)}</td></tr>')
    left = len(review.problems) - len(rows)
    more = f'<p class="hint">and {left} more, which the time axis has</p>' if left else ''
    return '<table id="troubles"><tr><th>when</th><th>level</th><th>of</th><th>what</th></tr>' \
        + ''.join(rows) + f'</table>{more}'


def numbers(review: Review) -> dict[str, Any]:
    """Return the numbers of the page, as `view --json` writes them."""
    stream = review.odometry.odometry
    return {
        'recording': review.name,
        'duration_s': 1e-9 * float(stream.times[-1] - stream.times[0]),
        'distance_m': float(position_error(stream.values[1:, :3], stream.values[:-1, :3]).sum()),
        'predictions': len(review.predictions),
        'source': review.source,
        'position_rmse_m': {f'{one.horizon:g}': one.rmse for one in scored(review)},
        'inside_90': coverage_90(review),
        'handovers': len(review.switches()),
        'troubles': sum(LEVELS[problem.level] != 'stale' for problem in review.problems)}


def sentence(found: dict[str, Any]) -> str:
    """Return the numbers as one sentence."""
    parts = [f'{found["duration_s"]:.0f} s and {found["distance_m"]:.1f} m of driving; '
             f'{found["predictions"]} predictions, {found["source"]}']
    errors = found['position_rmse_m']
    if errors:
        parts.append('they were off by ' + ', '.join(
            f'{1e3 * error:.1f} mm after {horizon} s' for horizon, error in errors.items())
            + ' (RMS)')
    if found['inside_90'] is not None:
        parts.append(f'{100.0 * found["inside_90"]:.0f} % of the later poses lay inside their '
                     '90 % region')
    parts.append(f'hand-overs between predictors: {found["handovers"]}')
    parts.append(f'warnings and errors: {found["troubles"]}')
    return '; '.join(parts) + '.'
