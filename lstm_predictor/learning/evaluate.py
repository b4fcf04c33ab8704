"""A model beside every classical predictor, on the same windows of recordings and fleets."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lstm_predictor.core import se2
from lstm_predictor.core.artifact import Artifact, open_commands
from lstm_predictor.core.baselines import baselines
from lstm_predictor.core.predictor import HANDED_TO, outside
from lstm_predictor.core.samples import Odometry
from lstm_predictor.core.supervisor import Supervisor, SupervisorConfig
from lstm_predictor.core.window import Window
from lstm_predictor.learning import dataset, metrics
from lstm_predictor.learning.dataset import Examples
from lstm_predictor.learning.tracks import Track

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_BATCH = 4096


@dataclass
class Outcome:
    """Poses at the table's horizons, body frame of the newest row, by predictor."""

    later: Array  # (n, K, 3)
    poses: dict[str, Array]  # (n, K, 3)
    factors: dict[str, Array]  # of those that say how sure they are, (n, K, 3, 3)
    fans: list[tuple[Array, dict[str, Array]]] = field(default_factory=list)  # for pictures

    def __len__(self) -> int:
        return len(self.later)

    def group(self) -> dict[str, Any]:
        """Return the errors as one group of the JSON of `evaluate`."""
        return metrics.group(len(self), {
            name: metrics.scores(poses, self.later, self.factors.get(name))
            for name, poses in self.poses.items()})


def nothing() -> Outcome:
    """Return what comes out where nothing could be predicted."""
    return Outcome(np.zeros((0, len(metrics.HORIZONS), 3)), {}, {})


def join(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcomes of several tracks as one; predictors that not all have are left out."""
    parts = [part for part in outcomes if len(part)]
    names = [name for name in parts[0].poses if all(name in part.poses for part in parts)]
    return Outcome(
        np.concatenate([part.later for part in parts]),
        {name: np.concatenate([part.poses[name] for part in parts]) for name in names},
        {name: np.concatenate([part.factors[name] for part in parts])
         for name in names if name in parts[0].factors},
        [fan for part in parts for fan in part.fans])


def evaluate(artifact: Artifact, track: Track, known: bool, truth: list[Odometry] | None = None,
             supervised: SupervisorConfig = SupervisorConfig()) -> Outcome:
    """
    Return what every predictor makes of a track; empty where no window fits.

    `known`: all are given the future commands, otherwise they are open and held. `truth`: poses
    that are to be met instead of the later odometry.
    """
    contract = artifact.contract
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
    full, factors = model_poses(artifact, rows, given, examples.memory)
    poses = {'lstm': full}
    for name, predictor in baselines(
            contract.classical, artifact.prior, step, known, track.delay, track.lag).items():
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
            artifact, window, examples, poses, factors, supervised, chosen)
    return Outcome(later[:, chosen], scored, regions, fans)


def model_poses(artifact: Artifact, rows: Array, given: Array, memory: Array
                ) -> tuple[Array, Array]:
    """Return the model's poses (n, H, 3) and error factors (n, H, 3, 3), whatever n."""
    parts = [artifact.predict(rows[i:i + _BATCH], given[i:i + _BATCH], memory[i:i + _BATCH])
             for i in range(0, len(rows), _BATCH)]
    return np.concatenate([p for p, _ in parts]), np.concatenate([f for _, f in parts])


def _published(artifact: Artifact, window: Window, examples: Examples, poses: dict[str, Array],
               factors: Array, config: SupervisorConfig, chosen: list[int]
               ) -> tuple[Array, Array]:
    """Return what the node would have published (n, K, 3) and its error factors (n, K, 3, 3)."""
    contract = artifact.contract
    supervisor = Supervisor(
        ('lstm', *HANDED_TO), contract.horizon, window.config.step_ns, config)
    paths, regions = np.empty((len(examples), len(chosen), 3)), []
    anchors = window.poses(examples.anchors_ns)
    candidates = {name: poses[name] for name in supervisor.names}
    for i, stamp_ns in enumerate(examples.anchors_ns.tolist()):
        supervisor.observe(stamp_ns, anchors[i])
        verdict = supervisor.judge(
            stamp_ns, anchors[i], {name: path[i] for name, path in candidates.items()},
            factors[i], not outside(examples.windows[i], contract))
        paths[i] = verdict.poses[chosen]
        regions.append(verdict.factors[chosen])
    return paths, np.array(regions).reshape(-1, len(chosen), 3, 3)


def _poses_only(readings: list[Odometry], window: Window) -> Window:
    """Return a window that poses can be looked up in."""
    aim = Window(window.config, forget=False)
    for reading in readings:
        aim.add(reading)
    return aim


def _seen_from(aim: Window, anchors_ns: NDArray[np.int64], horizon: int) -> Array:
    """Return the poses at every future step in the body frame of the anchor (n, H, 3)."""
    ends = anchors_ns[:, None] + np.arange(1, horizon + 1) * aim.config.step_ns
    return se2.between(aim.poses(anchors_ns)[:, None], aim.poses(ends))
