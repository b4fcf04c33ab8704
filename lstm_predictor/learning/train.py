"""One training run: examples, linear prior, network, calibration, constants of the baselines."""

from dataclasses import asdict, dataclass, replace
import hashlib
from pathlib import Path
from typing import Any

from lstm_predictor.core.baselines import Constants
from lstm_predictor.core.classical import scales
from lstm_predictor.core.model import MotionModel
from lstm_predictor.learning import corpus as data
from lstm_predictor.learning import fit, linear
from lstm_predictor.learning.batches import Corpus, Source, Sources
from lstm_predictor.learning.config import TrainConfig
from lstm_predictor.learning.corpus import Maker, Split
from lstm_predictor.learning.dataset import Examples
from lstm_predictor.learning.loss import calibrate
from lstm_predictor.learning.tune import tuned

import numpy as np
from numpy.typing import NDArray

import torch

Array = NDArray[np.float64]

_FIT_WINDOWS = 60_000  # of the fleet, for the linear prior
_FLEET_SHARE = 0.5  # of the weight of the linear prior; the recordings have the rest
_TUNE_WINDOWS = 3000


@dataclass(frozen=True)
class Trained:
    """What a training run leaves behind."""

    model: MotionModel
    constants: Constants  # of the classical predictors
    data_sha256: str
    windows: int  # for training
    fastest: tuple[float, float]  # speed [m/s] and yaw rate [rad/s] in training
    golden: Examples  # a few, for the model file


@dataclass(frozen=True)
class Material:
    """All examples of a run."""

    fleet: Examples
    fleet_validation: Examples
    recorded: Examples | None
    recorded_validation: Examples | None


def train(config: TrainConfig, split: Split | None, maker: Maker, machines: fit.Machines
          ) -> Trained:
    """Return the model of a configuration; `split` holds the recordings, where there are any."""
    step = 1.0 / config.window.rate
    material = gathered(config, split, maker)
    corpus = _corpus(config, material, step)
    arx = linear.fit_arx(_for_prior(corpus.sources), step)
    torch.manual_seed(config.optimiser.seed)  # of the weights to begin with
    model = MotionModel(
        hidden=config.optimiser.hidden, horizon=config.horizon, step=step,
        cell=config.optimiser.cell, fold=config.optimiser.fold,
        truncate=config.optimiser.truncate, prior=arx)
    model = fit.fit(model, corpus, config.optimiser, machines)
    model.recent = 0
    calibrate(model, [part for part in (
        material.fleet_validation, material.recorded_validation) if part is not None])
    constants = tuned(*_tuning(corpus, config), _sequences(material), arx, config.window.rate)
    digest = hashlib.sha256(material.fleet.sha256().encode())
    if material.recorded is not None:
        digest.update(material.recorded.sha256().encode())
    count = len(material.fleet) + (0 if material.recorded is None else len(material.recorded))
    golden = material.recorded or material.fleet
    return Trained(model, constants, digest.hexdigest(), count, _fastest(material),
                   golden[::max(1, len(golden) // 4)][:4])


def _fastest(material: Material) -> tuple[float, float]:
    """Return the speed [m/s] and the yaw rate [rad/s] that one window in a thousand exceeds."""
    found = [np.quantile(scales(part[::max(1, len(part) // 5000)].windows), 0.999, axis=0)
             for part in (material.fleet, material.recorded) if part is not None]
    speed, yaw_rate = np.max(found, axis=0).tolist()
    return speed, yaw_rate


def gathered(config: TrainConfig, split: Split | None, maker: Maker) -> Material:
    """Return the examples, made or as they were made before."""
    seed = 3 * config.fleet.seed
    fleet = maker.fleet(replace(config.fleet, seed=seed), config.stride)
    validation = maker.fleet(
        replace(config.fleet, robots=config.validation_robots, seed=seed + 1), config.stride)
    if split is None:
        return Material(fleet, validation, None, None)
    return Material(
        fleet, validation, maker.recorded(split.train, config.recordings.variants),
        maker.recorded(split.validation) if split.validation else None)


def _for_prior(sources: list[Source]) -> list[Source]:
    """
    Return the sources as the linear prior weighs them.

    Of the fleet a part is enough; recordings count most, as they are: one that is fitted to
    robots that are not there would be a weak opponent on those that are.
    """
    fleet, *recorded = sources
    thinned = fleet.examples[::max(1, len(fleet.examples) // _FIT_WINDOWS)]
    return [replace(fleet, examples=thinned, share=_FLEET_SHARE), *(
        replace(source, share=1.0 - _FLEET_SHARE, weights=_real_alone(source.weights))
        for source in recorded)]


def _real_alone(weights: Array | None) -> Array | None:
    """Return the weights of recorded examples without those of varied ones."""
    return None if weights is None else weights * (weights == weights.max())


def _corpus(config: TrainConfig, material: Material, step: float) -> Corpus:
    share = config.recordings.share

    def source(examples: Examples, part: float, drawn: Array | None = None) -> Source:
        return Source(examples, linear.yardsticks(examples, step), part, drawn)

    if material.recorded is None:
        learned = [source(material.fleet, 1.0)]
    else:
        weights = data.variant_weights(material.recorded, config.recordings.variants)
        learned = [source(material.fleet, 1.0 - share), source(material.recorded, share, weights)]
    if material.recorded_validation is None:
        checked = [source(material.fleet_validation, 1.0)]
    else:
        checked = [source(material.fleet_validation, 0.5),
                   source(material.recorded_validation, 0.5)]
    rest = {'augment': config.augment, 'shortest': config.window.shortest}
    return Corpus(learned, validation=Sources(checked, **rest), **rest)


def _tuning(corpus: Corpus, config: TrainConfig) -> tuple[Examples, Array]:
    """Return windows drawn as for training, but for varied recordings, and their yardsticks."""
    random = np.random.default_rng(config.optimiser.seed)
    parts, sizes = [], []
    for source in corpus.sources:
        usable = np.arange(len(source.examples)) if source.weights is None else \
            np.flatnonzero(source.weights == source.weights.max())
        chosen = np.sort(random.choice(
            usable, min(len(usable), round(_TUNE_WINDOWS * source.share)), replace=False))
        parts.append(source.examples[chosen])
        sizes.append(source.yardsticks[parts[-1].tracks])
    return data.renumbered(parts), np.concatenate(sizes)


def _sequences(material: Material) -> list[Examples]:
    """Return whole tracks of the validation, some of the fleet's and all recordings."""
    found = []
    for part, most in ((material.fleet_validation, 12), (material.recorded_validation, 12)):
        if part is not None:
            numbers = np.unique(part.tracks)
            found += [part[part.tracks == number] for number in numbers[:most]]
    return found


def plain(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as YAML and JSON have it."""
    return _plain(asdict(config))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
