"""One training run: examples, linear prior, network, calibration, tuned baselines."""

from dataclasses import asdict, dataclass, replace
import hashlib
import json
from typing import Any

from lstm_predictor.baselines.registry import Constants
from lstm_predictor.model.network import MotionModel
from lstm_predictor.model.window import scales
from lstm_predictor.training import example_cache, fit_linear_prior, trainer
from lstm_predictor.training.batches import Source, Sources, TrainingData
from lstm_predictor.training.config import TrainConfig
from lstm_predictor.training.dataset import Examples
from lstm_predictor.training.example_cache import ExampleCache, RecordingSplit
from lstm_predictor.training.loss import calibrate
from lstm_predictor.training.trainer import Resources
from lstm_predictor.training.tune_baselines import tune

import numpy as np
from numpy.typing import NDArray

import torch

Array = NDArray[np.float64]

_FIT_WINDOWS = 60_000  # of the fleet, for the linear prior
_FLEET_FRACTION = 0.5  # of the weight of the linear prior; the recordings have the rest
_TUNE_WINDOWS = 3000


@dataclass(frozen=True)
class TrainingResult:
    """The trained model, and what its file and card say about the training."""

    model: MotionModel
    constants: Constants  # of the classical predictors
    data_sha256: str
    windows: int  # for training
    max_speeds: tuple[float, float]  # speed [m/s] and yaw rate [rad/s] in training
    golden: Examples  # a few, with which the model file is checked


@dataclass(frozen=True)
class Datasets:
    """The examples of a run, by origin and use."""

    fleet: Examples
    fleet_validation: Examples
    recorded: Examples | None
    recorded_validation: Examples | None


def train(config: TrainConfig, split: RecordingSplit | None, cache: ExampleCache,
          resources: Resources) -> TrainingResult:
    """Return the model of a configuration; `split` holds the recordings, where there are any."""
    step = 1.0 / config.window.rate
    datasets = collect_datasets(config, split, cache)
    data = _training_data(config, datasets, step)
    arx = fit_linear_prior.fit_arx(_for_prior(data.sources), step)
    torch.manual_seed(config.optimiser.seed)  # of the initial weights
    model = MotionModel(
        hidden=config.optimiser.hidden, horizon=config.horizon, step=step,
        cell=config.optimiser.cell, fold=config.optimiser.fold,
        truncate=config.optimiser.truncate, prior=arx)
    model = trainer.fit(model, data, config.optimiser, resources)
    model.recent = 0
    calibrate(model, [part for part in (
        datasets.fleet_validation, datasets.recorded_validation) if part is not None])
    constants = tune(*_tuning(data, config), _sequences(datasets), arx, config.window.rate)
    digest = hashlib.sha256(datasets.fleet.sha256().encode())
    if datasets.recorded is not None:
        digest.update(datasets.recorded.sha256().encode())
    count = len(datasets.fleet) + (0 if datasets.recorded is None else len(datasets.recorded))
    golden = datasets.recorded or datasets.fleet
    return TrainingResult(model, constants, digest.hexdigest(), count, _max_speeds(datasets),
                          golden[::max(1, len(golden) // 4)][:4])


def _max_speeds(datasets: Datasets) -> tuple[float, float]:
    """Return the speed [m/s] and the yaw rate [rad/s] that one window in a thousand exceeds."""
    found = [np.quantile(scales(part[::max(1, len(part) // 5000)].windows), 0.999, axis=0)
             for part in (datasets.fleet, datasets.recorded) if part is not None]
    speed, yaw_rate = np.max(found, axis=0).tolist()
    return speed, yaw_rate


def collect_datasets(config: TrainConfig, split: RecordingSplit | None, cache: ExampleCache
                     ) -> Datasets:
    """Return all examples, from the cache where they are there already."""
    seed = 3 * config.fleet.seed
    fleet = cache.fleet(replace(config.fleet, seed=seed), config.stride)
    validation = cache.fleet(
        replace(config.fleet, robots=config.validation_robots, seed=seed + 1), config.stride)
    if split is None:
        return Datasets(fleet, validation, None, None)
    return Datasets(
        fleet, validation, cache.recorded(split.train, config.recordings.variants),
        cache.recorded(split.validation) if split.validation else None)


def _for_prior(sources: list[Source]) -> list[Source]:
    """
    Return the sources with their weights for the linear prior.

    A part of the fleet is enough. Recordings count without their variants: a prior fitted to
    robots that do not exist would be a weak baseline on those that do.
    """
    fleet, *recorded = sources
    thinned = fleet.examples[::max(1, len(fleet.examples) // _FIT_WINDOWS)]
    return [replace(fleet, examples=thinned, fraction=_FLEET_FRACTION), *(
        replace(source, fraction=1.0 - _FLEET_FRACTION, weights=_real_alone(source.weights))
        for source in recorded)]


def _real_alone(weights: Array | None) -> Array | None:
    """Return the weights of recorded examples without those of varied ones."""
    return None if weights is None else weights * (weights == weights.max())


def _training_data(config: TrainConfig, datasets: Datasets, step: float) -> TrainingData:
    share = config.recordings.share

    def source(examples: Examples, part: float, drawn: Array | None = None) -> Source:
        return Source(examples, fit_linear_prior.error_scales(examples, step), part, drawn)

    if datasets.recorded is None:
        training = [source(datasets.fleet, 1.0)]
    else:
        weights = example_cache.variant_weights(datasets.recorded, config.recordings.variants)
        training = [source(datasets.fleet, 1.0 - share), source(datasets.recorded, share, weights)]
    if datasets.recorded_validation is None:
        validation = [source(datasets.fleet_validation, 1.0)]
    else:
        validation = [source(datasets.fleet_validation, 0.5),
                      source(datasets.recorded_validation, 0.5)]
    rest = {'augment': config.augment, 'shortest': config.window.shortest}
    return TrainingData(training, validation=Sources(validation, **rest), **rest)


def _tuning(data: TrainingData, config: TrainConfig) -> tuple[Examples, Array]:
    """Return windows drawn as for training, but for varied recordings, and their error scales."""
    random = np.random.default_rng(config.optimiser.seed)
    parts, sizes = [], []
    for source in data.sources:
        usable = np.arange(len(source.examples)) if source.weights is None else \
            np.flatnonzero(source.weights == source.weights.max())
        chosen = np.sort(random.choice(
            usable, min(len(usable), round(_TUNE_WINDOWS * source.fraction)), replace=False))
        parts.append(source.examples[chosen])
        sizes.append(source.error_scales[parts[-1].tracks])
    return example_cache.renumbered(parts), np.concatenate(sizes)


def _sequences(datasets: Datasets) -> list[Examples]:
    """Return whole tracks of the validation, some of the fleet's and all recordings."""
    found = []
    for part, most in ((datasets.fleet_validation, 12), (datasets.recorded_validation, 12)):
        if part is not None:
            numbers = np.unique(part.tracks)
            found += [part[part.tracks == number] for number in numbers[:most]]
    return found


def plain(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as JSON has it: dictionaries, lists, numbers and texts."""
    return dict(json.loads(json.dumps(asdict(config))))
