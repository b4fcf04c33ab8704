"""The summary of the runs of `closed-loop`: medians over the seeds, each method at its best."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
import math
from typing import Any

from lstm_predictor.evaluation.closed_loop.case import Case, JOYSTICK

SHORT = 0.8  # the lookahead at which a delay shows most [s]

Score = dict[str, float]  # of one run
Row = dict[str, Any]  # of the JSON's `cases`: runs that differ in nothing but the seed
Entry = dict[str, Any]  # of the JSON's `summary`: one method
Summary = dict[str, dict[str, dict[str, Entry]]]  # by robot, source and method

_ERROR = 'cross_track_rmse_m'
_NUMBERS = (_ERROR, 'cross_track_max_m', 'heading_rmse_rad', 'time_s', 'jerk')


def medians(runs: Iterable[tuple[Case, Score]]) -> list[Row]:
    """Return the medians over the seeds that arrived, None where none did."""
    alike: dict[Case, list[Score]] = defaultdict(list)
    for case, score in runs:
        alike[replace(case, seed=0)].append(score)
    return [_row(case, scores) for case, scores in alike.items()]


def _row(case: Case, scores: list[Score]) -> Row:
    open_loop = case.source == JOYSTICK
    names = (*_NUMBERS, 'pose_rmse_m') if open_loop else _NUMBERS
    return {
        'course': case.course, 'robot': case.robot, 'source': case.source,
        'method': case.method, 'lookahead_s': None if open_loop else case.lookahead,
        'seeds': len(scores),
        **{name: _median(score.get(name, math.nan) for score in scores) for name in names},
        'failed': int(sum(score['failed'] for score in scores))}


def _median(values: Iterable[float]) -> float | None:
    known = sorted(value for value in values if math.isfinite(value))
    middle = len(known) // 2
    return 0.5 * (known[middle] + known[-1 - middle]) if known else None


def summary(rows: list[Row]) -> Summary:
    """
    Return what each method reaches.

    `best` is at the lookahead with the smallest RMS over the courses: of those without a failed
    run, or where each has one, of all. `worst_course_over_raw` is the worst single course, where
    both this method and raw may choose the lookahead that is best for it.
    """
    return {robot: {source: _joystick(of_source) if source == JOYSTICK else _swept(of_source)
                    for source, of_source in grouped(of_robot, 'source').items()}
            for robot, of_robot in grouped(rows, 'robot').items()}


def grouped(rows: list[Row], key: str) -> dict[Any, list[Row]]:
    """Return the rows by their value of a key, in the order in which those come."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def failures(rows: list[Row]) -> int:
    """Return how many runs failed."""
    return sum(row['failed'] for row in rows)


def _joystick(rows: list[Row]) -> dict[str, Entry]:
    found = {row['method']: row for row in rows}
    raw = found.get('raw', {}).get('pose_rmse_m')
    return {method: {'pose_rmse_m': row['pose_rmse_m'],
                     'pose_over_raw': _ratio(row['pose_rmse_m'], raw), 'failed': row['failed']}
            for method, row in found.items()}


def _swept(rows: list[Row]) -> dict[str, Entry]:
    methods = grouped(rows, 'method')
    best = {method: _best(of_method) for method, of_method in methods.items()}
    short = {method: [row for row in of_method if row['lookahead_s'] == SHORT]
             for method, of_method in methods.items()}
    return {method: {
        'best': _together(best[method]),
        'short': _together(short[method]),
        'best_over_raw': _over(best, method, 'raw'),
        'best_over_replay': _over(best, method, 'command_replay'),
        'short_over_raw': _over(short, method, 'raw'),
        **_worst_course(of_method, methods.get('raw', [])),
        'jerk_over_raw': _over(best, method, 'raw', 'jerk'),
    } for method, of_method in methods.items()}


def _best(rows: list[Row]) -> list[Row]:
    """Return the rows of the best lookahead of one method, none where it has no error at all."""
    errors = {lookahead: _rms(at, _ERROR)
              for lookahead, at in grouped(rows, 'lookahead_s').items()}
    known = {lookahead: error for lookahead, error in errors.items() if error is not None}
    failed = {row['lookahead_s'] for row in rows if row['failed']}
    eligible = [lookahead for lookahead in sorted(known) if lookahead not in failed] or known
    if not eligible:
        return []
    best = min(eligible, key=lambda lookahead: known[lookahead])
    return [row for row in rows if row['lookahead_s'] == best]


def _together(rows: list[Row]) -> Entry:
    """Return the error over the courses at the one lookahead that the rows have."""
    return {'lookahead_s': rows[0]['lookahead_s'] if rows else None, _ERROR: _rms(rows, _ERROR),
            'failed': failures(rows)}


def _worst_course(rows: list[Row], raw: list[Row]) -> Entry:
    """Return the worst ratio on one course, None where raw arrives on one and this does not."""
    own = grouped(rows, 'course')
    ratios = {course: _ratio(_rms(_best(own[course]), _ERROR), error)
              for course, of_raw in grouped(raw, 'course').items()
              if (error := _rms(_best(of_raw), _ERROR)) is not None}
    worst = max(ratios, default=None,
                key=lambda course: math.inf if ratios[course] is None else ratios[course])
    return {'worst_course_over_raw': ratios.get(worst), 'worst_course': worst}


def _over(rows: dict[str, list[Row]], method: str, other: str, key: str = _ERROR) -> float | None:
    return _ratio(_rms(rows[method], key), _rms(rows.get(other, []), key))


def _rms(rows: list[Row], key: str) -> float | None:
    """Return the RMS over the courses, None unless there is a number for each."""
    values = [row[key] for row in rows]
    if not values or None in values:
        return None
    return math.sqrt(sum(value * value for value in values) / len(values))


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
