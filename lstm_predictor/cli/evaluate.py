"""Score a model beside every classical predictor, on recordings and on simulated robots."""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
import os
from pathlib import Path
import sys
from typing import Any

from lstm_predictor.bags import BagError, Recording
from lstm_predictor.cli.arguments import (
    add_model, add_topics, positive_integer, topics_of, write_groups)
from lstm_predictor.cli.ending import ends_with_a_line
from lstm_predictor.cli.models import model_once
from lstm_predictor.core import artifact
from lstm_predictor.learning import metrics, recordings
from lstm_predictor.learning.evaluate import evaluate, join, nothing, Outcome
from lstm_predictor.learning.fleet import drive_job, FleetConfig, jobs
from lstm_predictor.learning.parallel import each
from lstm_predictor.learning.plots import evaluation_figures

_SEED = 20_000  # of a fleet that no training starts from


@ends_with_a_line(BagError, artifact.ModelFileError, OSError)
def main(args: list[str] | None = None) -> int:
    """Evaluate; return the exit code."""
    given = _arguments().parse_args(args)
    if not given.recordings and not given.fleet:
        print('error: name a recording, a folder of recordings or --fleet N', file=sys.stderr)
        return 2
    artifact.load(given.model)
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
    """Yield what came out for each group."""
    if given.recordings:
        folders = recordings.find(given.recordings)
        grouped: dict[str, list[Outcome]] = defaultdict(list)
        left_out = []
        groups = recordings.groups_of(folders, given.by == 'recording')
        for folder, group, (outcome, refused, reason) in zip(
                folders, groups, _each(_recorded, given, folders, 'bags')):
            name = os.path.basename(os.path.abspath(folder))
            for note in refused:
                print(f'{name}: {note}', file=sys.stderr)
            if reason:
                left_out.append(f'{name} has {reason}')
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
    """Return what came out for one recording, what was refused, and why nothing came out."""
    model = model_once(given.model)
    topics = topics_of(given)
    track, counts = recordings.read(folder, topics)
    refused = [f'refused {count} messages on {reason}' for reason, count in counts.items()]
    truth = None
    if given.target == 'ground_truth':
        with Recording(folder, topics) as recording:
            try:
                truth = recording.poses(given.ground_truth_topic)
            except BagError:
                return nothing(), refused, f'nothing on {given.ground_truth_topic}'
    outcome = evaluate(model, track, given.commands == 'known', truth)
    seconds = (model.contract.shortest + model.contract.horizon) / model.contract.rate
    return outcome, refused, '' if len(outcome) else f'no {seconds:g} s of odometry without a gap'


def _simulated(given: argparse.Namespace, job: Any) -> tuple[Outcome, Outcome]:
    """Return what came out for one robot with open and with known commands."""
    track = drive_job(job)
    model = model_once(given.model)
    return evaluate(model, track, known=False), evaluate(model, track, known=True)


def _each(work: Any, given: argparse.Namespace, items: list[Any], title: str) -> Iterator[Any]:
    return each(partial(work, given), items, os.cpu_count() or 1, desc=title,
                disable=None)  # where nobody sees it


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='evaluate', description=__doc__)
    parser.add_argument('recordings', nargs='*', type=Path, metavar='BAG_OR_DIR',
                        help='rosbag2 folder, or a folder with some below it')
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
