"""
Drive simulated robots around courses, steered by the newest pose or by a predicted one.

What helps at a short lookahead may not at a long one: each method is swept over it, and compared
at its best and at a short one.
"""

import argparse
import errno
import os
from pathlib import Path
import sys
from typing import Any

from lstm_predictor.cli.arguments import add_model, positive, positive_integer, write_json
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.evaluation.closed_loop.case import (
    Case, CHAINS, JOYSTICK, METHODS, MPPI, ROBOTS, SOURCES, WEAK)
from lstm_predictor.evaluation.closed_loop.courses import COURSES
from lstm_predictor.evaluation.closed_loop.jobs import each, each_in_real_time, Job
from lstm_predictor.evaluation.closed_loop.plots import DRAWN, lookahead_figures, path_figures
from lstm_predictor.evaluation.closed_loop.summary import medians, SHORT, summary
from lstm_predictor.evaluation.closed_loop.table import failed_lookaheads, table
from lstm_predictor.model.model_file import load_once
from lstm_predictor.training.parallel import processes

# The options that choose runs: what they are without --full and with it.
_SOME: dict[str, Any] = {
    'courses': ('figure_of_eight', 'slalom', 'square'),
    'robots': ('ideal', 'delay_0.364', 'all', WEAK), 'sources': ('pursuit', JOYSTICK),
    'methods': ('raw', 'command_replay', 'lstm', 'oracle'),
    'lookaheads': (0.5, 0.8, 1.1, 1.5, 2.0), 'seeds': 3}
_ALL: dict[str, Any] = {
    **_SOME, 'courses': tuple(COURSES), 'robots': (*ROBOTS, WEAK), 'sources': SOURCES,
    'methods': METHODS, 'seeds': 10}
_MPPI_METHODS = ('raw', 'command_replay', 'lstm')  # where --methods names none
_JOYSTICK_METHODS = ('raw', 'lstm')
ROS_SOURCES = ('pursuit', 'regulated_pursuit')  # that --ros supports


@report_errors()
def main(args: list[str] | None = None) -> int:
    """Run the bench; return the exit code."""
    given = _arguments().parse_args(args)
    jobs = _jobs(given)
    if not jobs:
        print('error: these robots, sources and methods do not go together', file=sys.stderr)
        return 2
    load_once(given.model)
    _make_folders(given)
    runs, driven = [], {}
    results = each_in_real_time(jobs) if given.ros else each(jobs, given.jobs)
    for job, (score, positions) in zip(jobs, results):
        runs.append((job.case, score))
        if positions is not None:
            driven[job.case] = positions
    rows = medians(runs)
    found = summary(rows)
    print(table(found))
    for line in failed_lookaheads(rows):
        print(f'failed: {line}')
    if given.json:
        write_json(given.json, {'cases': rows, 'summary': found})
        print(f'wrote {given.json}')
    if given.plots:
        for file in (*path_figures(driven, given.plots),
                     *lookahead_figures(rows, given.plots)):
            print(f'wrote {file}')
    return 0


def _jobs(given: argparse.Namespace) -> list[Job]:
    """Return the runs that the options select, those that differ only in the seed together."""
    chosen = {name: list(dict.fromkeys(getattr(given, name) or default))
              for name, default in (_ALL if given.full else _SOME).items() if name != 'seeds'}
    seeds = range(given.seeds or (_ALL if given.full else _SOME)['seeds'])
    shown = min(chosen['lookaheads'], key=lambda lookahead: abs(lookahead - SHORT))
    jobs = []
    for source in chosen['sources']:
        courses, methods, lookaheads = (
            chosen[name] for name in ('courses', 'methods', 'lookaheads'))
        robots = [robot for robot in chosen['robots'] if robot != WEAK or source == JOYSTICK]
        if source == JOYSTICK:
            courses, lookaheads = [JOYSTICK], [0.0]
            methods = [method for method in methods if method in _JOYSTICK_METHODS]
        elif source == MPPI:
            lookaheads = [SHORT]
            if not given.methods:
                methods = [method for method in methods if method in _MPPI_METHODS]
        jobs += [
            Job(Case(course, robot, source, method, lookahead, seed), given.model,
                given.plots is not None and seed == 0 and method in DRAWN
                and (source == MPPI or lookahead == shown))
            for robot in robots for course in courses for method in methods
            for lookahead in lookaheads for seed in seeds]
    return [job for job in jobs if not given.ros or
            job.case.source in ROS_SOURCES and job.case.method in CHAINS]


def _make_folders(given: argparse.Namespace) -> None:
    """Make the folders of the results now: an error after hours of driving would lose them."""
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        if given.json.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(given.json))
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='closed-loop', description=__doc__, epilog='Without --full it takes some minutes, '
        'with it hours of one core.')
    for name, choices, text in (
            ('courses', tuple(COURSES), 'to drive'),
            ('robots', (*ROBOTS, WEAK), f'to be driven; {WEAK} (gain 0.8, slip) is for the '
                                        'joystick alone'),
            ('sources', SOURCES, f'of the commands; {MPPI} has no lookahead, and only '
                                 f'{", ".join(_MPPI_METHODS)} unless --methods names others'),
            ('methods', METHODS, 'that say where the robot is; the joystick has only '
                                 f'{", ".join(_JOYSTICK_METHODS)}')):
        parser.add_argument(f'--{name}', nargs='+', choices=choices, metavar='NAME',
                            help=f'{text}: {_listed(choices)} ({_default(name)})')
    parser.add_argument('--lookaheads', nargs='+', type=positive, metavar='SECONDS',
                        help=f'of travel ({_default("lookaheads")})')
    parser.add_argument('--seeds', type=positive_integer, metavar='N',
                        help=f'runs that differ in noise, floor and start ({_default("seeds")})')
    parser.add_argument('--full', action='store_true',
                        help='everything, where the options above do not say otherwise')
    parser.add_argument('--ros', action='store_true',
                        help='through the real nodes, one after the other and in real time; '
                             f'sources {", ".join(ROS_SOURCES)}, methods {", ".join(CHAINS)}')
    add_model(parser)
    parser.add_argument('--json', type=Path, metavar='F', help='file for the numbers')
    parser.add_argument('--plots', type=Path, metavar='DIR', help='folder for pictures')
    parser.add_argument('--jobs', type=positive_integer, metavar='N', default=processes(),
                        help='processes (default: one per core); they change no number')
    return parser


def _default(name: str) -> str:
    some, everything = _SOME[name], _ALL[name]
    if name == 'seeds':
        return f'default: {some}; with --full {everything}'
    return f'default: {_listed(some)}' + ('' if some == everything else '; with --full all')


def _listed(values: tuple[Any, ...]) -> str:
    return ', '.join(f'{value:g}' if isinstance(value, float) else value for value in values)


if __name__ == '__main__':
    sys.exit(main())
