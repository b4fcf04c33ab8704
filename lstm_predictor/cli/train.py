"""Make data, train, export: `train CONFIG`."""

import argparse
from dataclasses import replace
import json
import os
from pathlib import Path
import sys
import time

# Threads that wait for work must not take the core from those that have some.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

from lstm_predictor.core.artifact import Artifact, ModelFileError  # noqa: E402
from lstm_predictor.learning import config as configuration  # noqa: E402
from lstm_predictor.learning import dataset, metrics  # noqa: E402
from lstm_predictor.learning.evaluate import score  # noqa: E402
from lstm_predictor.learning.export import contract_of, export  # noqa: E402
from lstm_predictor.learning.fleet import tracks  # noqa: E402
from lstm_predictor.learning.train import calibrate, fit  # noqa: E402


def main(args: list[str] | None = None) -> int:
    """Train the model that a configuration describes; return the exit code."""
    parser = argparse.ArgumentParser(prog='train', description=__doc__)
    parser.add_argument('config', type=Path, help='YAML file, such as config/train.yaml')
    parser.add_argument('--output', type=Path, help='model file, instead of the one in CONFIG')
    parser.add_argument('--json', type=Path, help='also write the scores to this file')
    given = parser.parse_args(args)
    try:
        config = configuration.load(given.config)
        groups = train(config, given.output or Path(config.output))
        print(metrics.table(groups))
        if given.json:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps({'groups': groups}, indent=1))
    except (configuration.ConfigError, ModelFileError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        return 130
    return 0


def train(config: configuration.TrainConfig, output: Path) -> dict[str, dict[str, object]]:
    """Train and export; return the scores on robots that training did not see."""
    started = time.monotonic()
    learning = fleet_examples(config, config.fleet.robots, 0)
    validation = fleet_examples(config, config.validation_robots, 1)
    test = fleet_examples(config, config.test_robots, 2)
    print(f'{len(learning)} windows for training, {len(validation)} for calibration, '
          f'{len(test)} for scores')
    model = fit(learning, config.horizon, 1.0 / config.window.rate, config.optimiser)
    calibrate(model, validation)
    contract = contract_of(config, learning.sha256())
    artifact = Artifact(model, contract)
    groups = {'fleet_open': score(artifact, test, known=False),
              'fleet_known': score(artifact, test, known=True)}
    export(output, model, contract, test, groups, time.monotonic() - started, config)
    print(f'wrote {output} and {output.with_suffix(".md")}')
    return groups


def fleet_examples(config: configuration.TrainConfig, robots: int, fold: int
                   ) -> dataset.Examples:
    """Return the examples of so many robots; folds share no robot."""
    fleet = replace(config.fleet, robots=robots, seed=3 * config.fleet.seed + fold)
    parts = []
    for track in tracks(fleet, os.cpu_count() or 1):
        window = dataset.filled_window(track.readings, config.window)
        anchors = dataset.usable_anchors(window, config.horizon, config.stride)
        parts.append(dataset.examples(window, anchors, config.horizon))
    return dataset.join(parts)


if __name__ == '__main__':
    sys.exit(main())
