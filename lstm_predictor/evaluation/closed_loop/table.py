"""The summary of `closed-loop` as the table that it prints."""

from collections.abc import Iterable

from lstm_predictor.evaluation.closed_loop.case import JOYSTICK
from lstm_predictor.evaluation.closed_loop.summary import (
    Entry, failures, grouped, Row, SHORT, Summary)

_HEADS = ('best at', 'RMSE', '/ raw', '/ replay', 'worst', f'at {SHORT:g} s', '/ raw',
          'jerk/raw', 'failed')
_JOYSTICK_HEADS = ('off in 2 s', '/ raw', 'failed')
_NOTES = """\
best at: the lookahead of the smallest cross-track RMSE over the courses; / raw, / replay: beside
  those at their best; worst: / raw on the worst single course, each at its best there; failed:
  runs at the best lookahead; -: on some course none arrived, or nothing to compare with"""


def table(found: Summary) -> str:
    """Return the summary with a row per method."""
    lines = []
    for robot, sources in found.items():
        for source, methods in sources.items():
            heads, cells = (_JOYSTICK_HEADS, _joystick_cells) if source == JOYSTICK else \
                (_HEADS, _cells)
            lines.append(f'{robot}, {source}'.replace('_', ' '))
            lines.append(_line('', heads))
            lines += [_line(method.replace('_', ' '), cells(entry))
                      for method, entry in methods.items()]
    if any(source != JOYSTICK for sources in found.values() for source in sources):
        lines.append(_NOTES)
    return '\n'.join(lines)


def _line(name: str, cells: Iterable[str]) -> str:
    return f'  {name:<18}' + ''.join(f'{cell:>10}' for cell in cells)


def _cells(entry: Entry) -> list[str]:
    best, short = entry['best'], entry['short']
    at = best['lookahead_s']
    return ['-' if at is None else f'{at:g} s', _millimetres(best['cross_track_rmse_m']),
            _ratio(entry['best_over_raw']), _ratio(entry['best_over_replay']),
            _ratio(entry['worst_course_over_raw']), _millimetres(short['cross_track_rmse_m']),
            _ratio(entry['short_over_raw']), _ratio(entry['jerk_over_raw']),
            '-' if at is None else str(best['failed'])]


def _joystick_cells(entry: Entry) -> list[str]:
    return [_millimetres(entry['pose_rmse_m']), _ratio(entry['pose_over_raw']),
            str(entry['failed'])]


def _millimetres(metres: float | None) -> str:
    return '-' if metres is None else f'{1000.0 * metres:.1f} mm'


def _ratio(ratio: float | None) -> str:
    return '-' if ratio is None else f'{ratio:.2f}'


def failed_lookaheads(rows: list[Row]) -> list[str]:
    """Return a line for each lookahead at which a run failed, which cannot be a method's best."""
    lines = []
    for robot, of_robot in grouped(rows, 'robot').items():
        for source, of_source in grouped(of_robot, 'source').items():
            for method, of_method in grouped(of_source, 'method').items():
                name = f'{robot}, {source}, {method}'.replace('_', ' ')
                lines += [f'{name}{line}' for line in _failed(of_method)]
    return lines


def _failed(rows: list[Row]) -> list[str]:
    sweep = grouped(rows, 'lookahead_s')
    failed = {lookahead: at for lookahead, at in sweep.items() if failures(at)}
    lines = []
    for lookahead, at in failed.items():
        where = ', '.join(f'{row["failed"]} of {row["seeds"]} on {row["course"]}'.replace('_', ' ')
                          for row in at if row['failed'])
        lines.append(('' if lookahead is None else f', {lookahead:g} s') + f': {where}')
    if len(sweep) > 1 and len(failed) == len(sweep):
        lines.append(': no lookahead without a failure, so the best is chosen among all')
    return lines
