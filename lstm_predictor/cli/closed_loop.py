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
from lstm_predictor.cli.closed_loop_report import fallen_out, table
from lstm_predictor.cli.closed_loop_runs import CHAINS, each, each_in_real_time, Job
from lstm_predictor.cli.closed_loop_summary import JOYSTICK, medians, SHORT, summary
from lstm_predictor.cli.ending import ends_with_a_line
from lstm_predictor.cli.processes import NodeDied
from lstm_predictor.core import artifact
from lstm_predictor.learning.closed_loop_plots import DRAWN, lookahead_figures, path_figures
from lstm_predictor.sim.closed_loop import Case, METHODS, ROBOTS
from lstm_predictor.sim.routes import ROUTES

_PLANNER = 'mppi'  # has no lookahead to sweep
_SOURCES = ('pursuit', 'regulated_pursuit', _PLANNER, JOYSTICK)
_WEAK = 'weak'  # a robot for the joystick alone
# The options that choose runs: what they are without --full and with it.
_SOME: dict[str, Any] = {
    'courses': ('figure_of_eight', 'slalom', 'square'),
    'robots': ('ideal', 'delay_0.364', 'all', _WEAK), 'sources': ('pursuit', JOYSTICK),
    'methods': ('raw', 'command_replay', 'lstm', 'oracle'),
    'lookaheads': (0.5, 0.8, 1.1, 1.5, 2.0), 'seeds': 3}
_ALL: dict[str, Any] = {
    **_SOME, 'courses': tuple(ROUTES), 'robots': (*ROBOTS, _WEAK), 'sources': _SOURCES,
    'methods': METHODS, 'seeds': 10}
# The methods that go with a source, for the planner where none are named.
_PLANNED = ('raw', 'command_replay', 'lstm')
_PLAYED = ('raw', 'lstm')
# What the real nodes are there for.
IN_REAL_TIME = ('pursuit', 'regulated_pursuit')


@ends_with_a_line(artifact.ModelFileError, NodeDied, OSError)
def main(args: list[str] | None = None) -> int:
    """Run the bench; return the exit code."""
    given = _arguments().parse_args(args)
    jobs = _jobs(given)
    if not jobs:
        print('error: these robots, sources and methods do not go together', file=sys.stderr)
        return 2
    artifact.load(given.model)
    _make_room(given)
    runs, driven = [], {}
    results = each_in_real_time(jobs) if given.ros else each(jobs, given.jobs)
    for job, (score, positions) in zip(jobs, results):
        runs.append((job.case, score))
        if positions is not None:
            driven[job.case] = positions
    rows = medians(runs)
    found = summary(rows)
    print(table(found))
    for line in fallen_out(rows):
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
    """Return the runs that the options ask for, those that differ in the seed alone together."""
    chosen = {name: list(dict.fromkeys(getattr(given, name) or default))
              for name, default in (_ALL if given.full else _SOME).items() if name != 'seeds'}
    seeds = range(given.seeds or (_ALL if given.full else _SOME)['seeds'])
    shown = min(chosen['lookaheads'], key=lambda lookahead: abs(lookahead - SHORT))
    jobs = []
    for source in chosen['sources']:
        courses, methods, lookaheads = (
            chosen[name] for name in ('courses', 'methods', 'lookaheads'))
        robots = [robot for robot in chosen['robots'] if robot != _WEAK or source == JOYSTICK]
        if source == JOYSTICK:
            courses, lookaheads = [JOYSTICK], [0.0]
            methods = [method for method in methods if method in _PLAYED]
        elif source == _PLANNER:
            lookaheads = [SHORT]
            if not given.methods:
                methods = [method for method in methods if method in _PLANNED]
        jobs += [
            Job(Case(course, robot, source, method, lookahead, seed), given.model,
                given.plots is not None and seed == 0 and method in DRAWN
                and (source == _PLANNER or lookahead == shown))
            for robot in robots for course in courses for method in methods
            for lookahead in lookaheads for seed in seeds]
    return [job for job in jobs if not given.ros or
            job.case.source in IN_REAL_TIME and job.case.method in CHAINS]


def _make_room(given: argparse.Namespace) -> None:
    """Make the folders of the results, lest hours of driving end in an error."""
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
            ('courses', tuple(ROUTES), 'to drive'),
            ('robots', (*ROBOTS, _WEAK), f'to be driven; {_WEAK} (gain 0.8, slip) is for the '
                                         'joystick alone'),
            ('sources', _SOURCES, f'of the commands; {_PLANNER} has no lookahead, and only '
                                  f'{", ".join(_PLANNED)} unless --methods names others'),
            ('methods', METHODS, 'that say where the robot is; the joystick has only '
                                 f'{", ".join(_PLAYED)}')):
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
                             f'sources {", ".join(IN_REAL_TIME)}, methods {", ".join(CHAINS)}')
    add_model(parser)
    parser.add_argument('--json', type=Path, metavar='F', help='file for the numbers')
    parser.add_argument('--plots', type=Path, metavar='DIR', help='folder for pictures')
    parser.add_argument('--jobs', type=positive_integer, metavar='N', default=os.cpu_count() or 1,
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
