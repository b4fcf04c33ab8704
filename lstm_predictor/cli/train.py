"""Make data, train, export: `train CONFIG`."""

import argparse
from dataclasses import replace
import hashlib
import json
import os
from pathlib import Path
import sys
import time
from typing import Any

# Threads that wait for work must not take the core from those that have some.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

from lstm_predictor.cli.arguments import (  # noqa: E402
    add_topics, positive_integer, print_findings, topics_of, write_groups)
from lstm_predictor.cli.errors import report_errors  # noqa: E402
from lstm_predictor.common import metrics  # noqa: E402
from lstm_predictor.evaluation import scores  # noqa: E402
from lstm_predictor.model.model_file import LoadedModel  # noqa: E402
from lstm_predictor.recordings.rosbag_io import Topics  # noqa: E402
from lstm_predictor.recordings.storage import name_of  # noqa: E402
from lstm_predictor.training import (  # noqa: E402
    config as configuration, example_cache, recorded_tracks)
from lstm_predictor.training.export import contract_of, export, Run  # noqa: E402
from lstm_predictor.training.parallel import processes  # noqa: E402
from lstm_predictor.training.pipeline import plain, train  # noqa: E402
from lstm_predictor.training.simulated_fleet import FleetConfig, tracks  # noqa: E402
from lstm_predictor.training.trainer import Resources  # noqa: E402

_TEST_SEED = 10_000


@report_errors(
    ValueError,
    on_ctrl_c='interrupted; the same command goes on from the last checkpoint')
def main(args: list[str] | None = None) -> int:
    """Train the model that a configuration describes; return the exit code."""
    given = _arguments().parse_args(args)
    config = configuration.load(given.config)
    if given.cell:
        config = replace(config, optimiser=replace(config.optimiser, cell=given.cell))
    groups = run(config, given)
    print(metrics.table(groups))
    if given.json:
        write_groups(given.json, groups)
    return 0


def run(config: configuration.TrainConfig, given: argparse.Namespace) -> dict[str, Any]:
    """Train and export; return the scores on what training did not see."""
    started = time.monotonic()
    split = example_cache.split_recordings(given.recordings, config.recordings) \
        if given.recordings else None
    topics = topics_of(given)
    cache = example_cache.ExampleCache(config.window, config.horizon, given.cache, topics)
    names = json.dumps([plain(config), str(split), str(topics)], sort_keys=True)
    folder = given.runs / hashlib.sha256(names.encode()).hexdigest()[:12]
    if os.environ.get('LOCAL_RANK', '0') == '0':  # not in the processes that this one starts
        print(f'checkpoints and logs in {folder}')
    trained = train(config, split, cache, Resources(folder, given.devices, given.nodes))
    used = {} if split is None else {
        use: [name_of(path) for path in paths] for use, paths in vars(split).items()}
    made = Run(config, trained, used, time.monotonic() - started)
    groups = score_groups(LoadedModel(trained.model, contract_of(made)), split, config.test_robots,
                          topics)
    output = given.output or Path(config.output)
    export(output, made, groups)
    print(f'wrote {output} and {output.with_suffix(".md")}')
    return groups


def score_groups(model: LoadedModel, split: example_cache.RecordingSplit | None, robots: int,
                 topics: Topics) -> dict[str, Any]:
    """Return the groups for the model card: new robots, recordings not trained on."""
    fleet = FleetConfig(robots=robots, seed=_TEST_SEED)
    simulated = list(tracks(fleet, processes()))
    groups = {}
    for name, known in (('fleet_open', False), ('fleet_known', True)):
        groups[name] = scores.join(
            scores.evaluate(model, track, known) for track in simulated).group()
    for use in ('validation', 'test', 'left_out'):
        for path in getattr(split, use, []):
            found = recorded_tracks.read(path, topics)
            if use != 'validation':  # whose findings were printed when it was learned from
                print_findings(path, found.findings)
            outcomes = [scores.evaluate(model, track, known=False)
                        for track in found.tracks]
            if any(map(len, outcomes)):
                groups[f'{use}: {name_of(path)}'] = scores.join(outcomes).group()
    return groups


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='train', description=__doc__)
    parser.add_argument('config', type=Path, help='YAML file, as those in config/')
    parser.add_argument('--recordings', type=Path, metavar='DIR',
                        help='folder of rosbag2 recordings to learn from as well')
    parser.add_argument('--output', type=Path, help='model file, instead of the one in CONFIG')
    parser.add_argument('--json', type=Path, help='also write the scores to this file')
    parser.add_argument('--cell', help='lstm, gru or rnn, instead of the one in CONFIG')
    parser.add_argument('--devices', type=positive_integer, default=1,
                        help='processes on this machine (default: 1)')
    parser.add_argument('--nodes', type=positive_integer, default=1,
                        help='machines, each started with the same command (default: 1)')
    parser.add_argument('--runs', type=Path, default=Path('out/train'),
                        help='folder of checkpoints and logs; a run that was killed goes on')
    parser.add_argument('--cache', type=Path, default=example_cache.default_cache(),
                        help='folder in which examples are kept for the next run')
    add_topics(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
