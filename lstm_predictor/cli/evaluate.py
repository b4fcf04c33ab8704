"""Score a model beside every classical predictor, on recordings and on simulated robots."""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
import sys
from typing import Any

from lstm_predictor.baselines import registry
from lstm_predictor.cli.arguments import (
    add_model, add_topics, positive_integer, print_findings, topics_of, write_groups)
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.common import metrics
from lstm_predictor.evaluation.plots import evaluation_figures
from lstm_predictor.evaluation.scores import evaluate, join, nothing, Outcome
from lstm_predictor.model.model_file import load_once
from lstm_predictor.recordings.rosbag_io import BagError
from lstm_predictor.recordings.storage import name_of
from lstm_predictor.training import recorded_tracks
from lstm_predictor.training.parallel import each, processes
from lstm_predictor.training.simulated_fleet import drive_job, FleetConfig, jobs

_SEED = 20_000  # of a fleet that no training starts from


@report_errors()
def main(args: list[str] | None = None) -> int:
    """Evaluate; return the exit code."""
    given = _arguments().parse_args(args)
    if not given.recordings and not given.fleet:
        print('error: name a recording, a folder of recordings or --fleet N', file=sys.stderr)
        return 2
    registry.check(load_once(given.model))
    outcomes = dict(_outcomes(given))
    groups = {name: outcome.group() for name, outcome in outcomes.items()}
    print(metrics.table(groups))
    if given.json:
        write_groups(given.json, groups)
    if given.plots:
        for file in evaluation_figures(outcomes, groups, given.plots):
            print(f'wrote {file}')
    return 0


def _outcomes(given: argparse.Namespace) -> Iterator[tuple[str, Outcome]]:
    """Yield the outcome of each group."""
    if given.recordings:
        folders = recorded_tracks.find(given.recordings)
        grouped: dict[str, list[Outcome]] = defaultdict(list)
        left_out = []
        groups = recorded_tracks.groups_of(folders, given.by == 'recording')
        for folder, group, (outcome, findings, reason) in zip(
                folders, groups, _each(_recorded, given, folders, 'bags')):
            print_findings(folder, findings)
            if reason:
                left_out.append(f'{name_of(folder)} has {reason}')
            else:
                grouped[group] += [outcome]
        if not grouped and not given.fleet:
            raise BagError('nothing to score: ' + '; '.join(left_out))
        for reason in left_out:
            print(f'left out: {reason}', file=sys.stderr)
        for name, parts in grouped.items():
            yield name, join(parts)
    if given.fleet:
        robots = jobs(FleetConfig(robots=given.fleet, seed=given.seed))
        pairs = list(_each(_simulated, given, robots, 'robots'))
        for i, name in enumerate(('fleet_open', 'fleet_known')):
            yield name, join(pair[i] for pair in pairs)


def _recorded(given: argparse.Namespace, folder: Path) -> tuple[Outcome, list[str], str]:
    """Return the outcome of one recording, its findings, and why the outcome is empty."""
    model = load_once(given.model)
    truth_topic = given.ground_truth_topic if given.target == 'ground_truth' else ''
    found = recorded_tracks.read(folder, topics_of(given), truth_topic)
    if truth_topic and not any(found.truths):
        return nothing(), found.findings, f'nothing on {truth_topic}'
    parts = [evaluate(model, track, given.commands == 'known', truth if truth_topic else None)
             for track, truth in zip(found.tracks, found.truths)]
    seconds = (model.contract.shortest + model.contract.horizon) / model.contract.rate
    outcome = join(parts) if any(map(len, parts)) else nothing()
    return outcome, found.findings, \
        '' if len(outcome) else f'no {seconds:g} s of odometry without a gap'


def _simulated(given: argparse.Namespace, job: Any) -> tuple[Outcome, Outcome]:
    """Return the outcomes of one robot with unknown and with known future commands."""
    track = drive_job(job)
    model = load_once(given.model)
    return evaluate(model, track, known=False), evaluate(model, track, known=True)


def _each(work: Any, given: argparse.Namespace, items: list[Any], title: str) -> Iterator[Any]:
    return each(partial(work, given), items, processes(), desc=title,
                disable=None)  # no bar where the output is no terminal


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='evaluate', description=__doc__)
    parser.add_argument('recordings', nargs='*', type=Path, metavar='BAG_OR_DIR',
                        help='rosbag2 folder or storage file, or a folder with some below it')
    add_model(parser)
    parser.add_argument('--json', type=Path, help='file for the numbers of the table')
    parser.add_argument('--plots', type=Path, metavar='DIR', help='folder for pictures')
    parser.add_argument('--by', choices=('folder', 'recording'), default='folder',
                        help='what a group of the table is')
    parser.add_argument('--commands', choices=('open', 'known'), default='open',
                        help='known: every predictor is given the recorded future commands')
    parser.add_argument('--target', choices=('odometry', 'ground_truth'), default='odometry',
                        help='the later poses that are to be met')
    parser.add_argument('--fleet', type=positive_integer, metavar='N',
                        help='also score on so many simulated robots')
    parser.add_argument('--seed', type=int, default=_SEED,
                        help='of the simulated robots (default: %(default)s)')
    add_topics(parser)
    parser.add_argument('--ground-truth-topic', default='/ground_truth',
                        help='default: /ground_truth')
    return parser


if __name__ == '__main__':
    sys.exit(main())
