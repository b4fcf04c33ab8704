"""Errors of a model and of every classical predictor on the same windows (`evaluate`)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lstm_predictor.baselines.registry import baselines
from lstm_predictor.common import metrics, se2
from lstm_predictor.common.readings import Odometry
from lstm_predictor.model.model_file import LoadedModel, open_commands
from lstm_predictor.model.window import Window
from lstm_predictor.prediction.mixture import MixtureConfig, PredictorMixture
from lstm_predictor.prediction.predictor import FALLBACK_PREDICTORS, out_of_distribution
from lstm_predictor.training import dataset
from lstm_predictor.training.dataset import Examples
from lstm_predictor.training.track import Track

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_BATCH = 4096


@dataclass
class Outcome:
    """Predicted and true poses at the table's horizons, in the body frame of the newest row."""

    later: Array  # true poses (n, K, 3)
    poses: dict[str, Array]  # by predictor (n, K, 3)
    factors: dict[str, Array]  # Cholesky factors of the covariances, if any (n, K, 3, 3)
    elapsed: Array  # since the drive began [s] (n,)
    fans: list[tuple[Array, dict[str, Array]]] = field(default_factory=list)  # for pictures

    def __len__(self) -> int:
        return len(self.later)

    def group(self) -> dict[str, Any]:
        """Return the errors (`common/metrics.scores`) as one group of the JSON of `evaluate`."""
        start = self.elapsed < metrics.START
        return {
            **metrics.group(len(self), self._scores(np.full(len(self), True))),
            'first_20_s': {'windows': int(start.sum()),
                           'predictors': self._scores(start) if start.any() else {}}}

    def _scores(self, taken: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
        return metrics.with_ratios({
            name: metrics.scores(poses[taken], self.later[taken],
                                 self.factors[name][taken] if name in self.factors else None)
            for name, poses in self.poses.items()})


def nothing() -> Outcome:
    """Return the outcome of no window at all."""
    return Outcome(np.zeros((0, len(metrics.HORIZONS), 3)), {}, {}, np.zeros(0))


def join(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcomes of several tracks as one, with the predictors that all of them have."""
    parts = [part for part in outcomes if len(part)]
    names = [name for name in parts[0].poses if all(name in part.poses for part in parts)]
    return Outcome(
        np.concatenate([part.later for part in parts]),
        {name: np.concatenate([part.poses[name] for part in parts]) for name in names},
        {name: np.concatenate([part.factors[name] for part in parts])
         for name in names if name in parts[0].factors},
        np.concatenate([part.elapsed for part in parts]),
        [fan for part in parts for fan in part.fans])


def evaluate(model: LoadedModel, track: Track, known: bool, truth: list[Odometry] | None = None,
             supervised: MixtureConfig = MixtureConfig()) -> Outcome:
    """
    Return the predictions of all predictors on a track; empty where no window fits.

    `known`: the future commands are given to all, otherwise they are unknown and the last one is
    held. `truth`: ground-truth poses to compare with in place of the odometry.
    """
    contract = model.contract
    step = 1.0 / contract.rate
    chosen = metrics.steps_of(metrics.HORIZONS, contract.rate)
    window = dataset.window_of(track, contract.window_config(1.0, 1.0))
    anchors = dataset.usable_anchors(window, contract.horizon)
    if truth is not None:
        aim = _poses_only(truth, window)
        span = contract.horizon * window.config.step_ns
        anchors = anchors[aim.without_gap(anchors, anchors + span)]
    if not len(anchors):
        return nothing()
    examples = dataset.examples(window, anchors, contract.horizon)
    later = examples.futures.astype(float)
    if truth is not None:
        later = _seen_from(aim, anchors, contract.horizon)
    given = examples.commands.astype(float) if known else \
        open_commands(len(examples), contract.horizon)
    rows = examples.windows.astype(float)
    full, factors = model_poses(model, rows, given, examples.memory)
    poses = {'lstm': full}
    for name, predictor in baselines(
            contract.classical, model.prior, step, known, track.delay, track.lag).items():
        poses[name] = np.concatenate(
            [predictor.predict(rows[i:i + _BATCH], given[i:i + _BATCH])
             for i in range(0, len(rows), _BATCH)])
    if track.expected:
        ideal = _poses_only([Odometry(int(e[0]), *e[1:], 0.0, 0.0) for e in track.expected],
                            window)
        poses['oracle'] = _seen_from(ideal, anchors, contract.horizon)
    fans = [(later[i], {name: poses[name][i] for name in ('lstm', 'arx_online')})
            for i in range(len(later) // 8, len(later), max(1, len(later) // 4))]
    scored = {name: value[:, chosen] for name, value in poses.items()}
    regions = {'lstm': factors[:, chosen]}
    if not known:
        scored['published'], regions['published'] = _published(
            model, window, examples, poses, factors, supervised, chosen)
    begin_ns = next(r.stamp_ns for r in track.readings if isinstance(r, Odometry))
    return Outcome(later[:, chosen], scored, regions, 1e-9 * (anchors - begin_ns), fans)


def model_poses(model: LoadedModel, rows: Array, given: Array, memory: Array
                ) -> tuple[Array, Array]:
    """Return the model's poses (n, H, 3) and error factors (n, H, 3, 3), in batches."""
    parts = [model.predict(rows[i:i + _BATCH], given[i:i + _BATCH], memory[i:i + _BATCH])
             for i in range(0, len(rows), _BATCH)]
    return np.concatenate([p for p, _ in parts]), np.concatenate([f for _, f in parts])


def _published(model: LoadedModel, window: Window, examples: Examples, poses: dict[str, Array],
               factors: Array, config: MixtureConfig, chosen: list[int]
               ) -> tuple[Array, Array]:
    """Return what the node would have published (n, K, 3) and its error factors (n, K, 3, 3)."""
    contract = model.contract
    mixture = PredictorMixture(
        ('lstm', *FALLBACK_PREDICTORS), contract.horizon, window.config.step_ns, config)
    paths, regions = np.empty((len(examples), len(chosen), 3)), []
    anchors = window.poses(examples.anchors_ns)
    candidates = {name: poses[name] for name in mixture.names}
    for i, stamp_ns in enumerate(examples.anchors_ns.tolist()):
        mixture.observe(stamp_ns, anchors[i])
        output = mixture.combine(
            stamp_ns, anchors[i], {name: path[i] for name, path in candidates.items()},
            factors[i], not out_of_distribution(examples.windows[i], contract))
        paths[i] = output.poses[chosen]
        regions.append(output.factors[chosen])
    return paths, np.array(regions).reshape(-1, len(chosen), 3, 3)


def _poses_only(readings: list[Odometry], window: Window) -> Window:
    """Return a window of poses alone, from which they are interpolated."""
    aim = Window(window.config, forget=False)
    for reading in readings:
        aim.add(reading)
    return aim


def _seen_from(aim: Window, anchors_ns: NDArray[np.int64], horizon: int) -> Array:
    """Return the poses at every future step in the body frame of the anchor (n, H, 3)."""
    ends = anchors_ns[:, None] + np.arange(1, horizon + 1) * aim.config.step_ns
    return se2.between(aim.poses(anchors_ns)[:, None], aim.poses(ends))
