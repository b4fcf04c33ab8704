"""
Let the nodes run for long, on random drives and with random faults, and watch their memory.

Simulated time goes faster than real time, so that an hour stands for several.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import random
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

from lstm_predictor.cli.arguments import positive, write_json
from lstm_predictor.cli.ending import ends_with_a_line
from lstm_predictor.cli.processes import NodeDied, Nodes, own_domain
from lstm_predictor.cli.session import session
from lstm_predictor.faults import act, spoil
from lstm_predictor.faults.act import Begin
from lstm_predictor.faults.stage import Setting, Stage

import numpy as np

from scipy.stats import theilslopes

_NODES = ('predictor', 'replanner', 'command_guard')
_WARM_UP = 1.0 / 3.0  # of the time, after which memory shall not grow [-]
_MOST_GROWTH = 2.0  # [MB]
_LEAST_SHARE = 0.8  # of the odometry without faults that is answered by a prediction [-]
_SLOPES = 1000  # looks between any two of which the slope is taken
_LOOK = 1.0  # between two looks at the memory [s]
# Faults that come and go on the wires.
_FAULTS: tuple[Callable[[], Begin], ...] = (
    lambda: act.wire(odom=spoil.nothing),
    lambda: act.wire(imu=spoil.nothing),
    lambda: act.wire(predicted_path=spoil.nothing, predicted_pose=spoil.nothing),
    lambda: act.wire(odom=spoil.setting('twist.twist.linear.x', spoil.NAN)),
    lambda: act.wire(odom=spoil.setting('pose.pose.position.x', spoil.NAN)),
    lambda: act.wire(imu=spoil.setting('angular_velocity.z', 1e300)),
    lambda: act.wire(cmd_vel_in=spoil.not_finite(spoil.INF)),
    lambda: act.wire(predicted_path=act.spoilt_path),
    lambda: act.wire(odom=spoil.repeated_stamp()),
    lambda: act.wire(odom=spoil.swapped()),
    lambda: act.shift(2_000_000_000, 'odom', 'imu'),
    lambda: act.shift(-2_000_000_000, 'odom', 'imu'),
    lambda: act.wire(odom=act.zero_stamp),
    lambda: act.lossy(0.5),
    lambda: act.teleport(5.0),
)


@dataclass
class Soaked:
    """What was seen."""

    simulated_hours: float = 0.0
    faults: int = 0
    memory: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: {name: [] for name in _NODES})  # [s] from the start, [MB]
    answered: list[tuple[float, float]] = field(default_factory=list)  # [s], share [-]
    words: list[str] = field(default_factory=list)  # errors that the nodes logged

    def growth(self, name: str) -> float:
        """
        Return how much more memory a node has at the end than after the warm-up [MB].

        By the slope after Theil and Sen: what is fetched and given back does not count.
        """
        rows = np.array(self.memory[name])
        rows = rows[rows[:, 0] > _WARM_UP * rows[-1, 0]]
        rows = rows[::1 + len(rows) // _SLOPES]
        if len(rows) < 2:
            return 0.0
        return float(theilslopes(rows[:, 1], rows[:, 0]).slope * (rows[-1, 0] - rows[0, 0]))

    def answered_share(self, last: bool) -> float:
        """Return the share of odometry that was answered in the first or the last half [-]."""
        half = len(self.answered) // 2
        rows = self.answered[half:] if last else self.answered[:half]
        return float(np.median([share for _, share in rows])) if rows else float('nan')

    def problems(self) -> list[str]:
        """Return in words what is not as it should be."""
        found = [f'{name} grew by {self.growth(name):.2f} MB' for name in _NODES
                 if self.growth(name) > _MOST_GROWTH]
        shares = [self.answered_share(last) for last in (False, True)]
        if not np.isnan(shares).any() and not shares[1] > _LEAST_SHARE * shares[0]:
            found.append(f'predictions fall behind: {shares[0]:.2f} of the odometry was answered '
                         f'at first, {shares[1]:.2f} later')
        return found + [f'a node said: {line}' for line in self.words[:3]]


def soak(minutes: float, factor: float, seed: int, words: Path,
         show: Callable[[str], object] = lambda line: None) -> Soaked:
    """Return what was seen in so many minutes; raise NodeDied where a node ends."""
    result, draws = Soaked(), random.Random(seed)
    with own_domain(), Nodes(words) as nodes, session('soak') as source:
        stage = Stage(source, nodes, Setting(sim_time=True, factor=factor))
        if not stage.wait_for(stage.drives, 60.0):
            raise NodeDied('the robot does not drive to begin with')
        began, begin_ns = time.monotonic(), stage.now_ns()
        running: act.Act | None = None
        while time.monotonic() - began < 60.0 * minutes:
            stage.command = _command(draws)
            if running is not None:
                running.end()
                running = None
            elif draws.random() < 0.5:
                running = draws.choice(_FAULTS)()(stage)
                result.faults += 1
            stage.wait(1.5)  # in which predictions begin again after a fault
            stage.record.clear()
            stage.wait(_LOOK + draws.random())
            nodes.check()
            heard = len(stage.record.odometry_at)
            seconds = time.monotonic() - began
            for name in _NODES:
                result.memory[name].append((seconds, nodes.memory(name)))
            if running is None and heard:
                result.answered.append((seconds, stage.record.predictions / heard))
            show(_line(seconds, result))
        result.simulated_hours = 1e-9 * (stage.now_ns() - begin_ns) / 3600.0
    result.words = [line for line in words.read_text(errors='replace').splitlines()
                    if 'Traceback' in line or '[ERROR]' in line or 'Error:' in line]
    return result


def _command(draws: random.Random) -> tuple[float, float] | None:
    """Return what the source asks for next; now and then it stands, or falls silent."""
    kind = draws.random()
    if kind < 0.1:
        return None
    if kind < 0.2:
        return 0.0, 0.0
    return draws.uniform(-0.22, 0.22), draws.uniform(-2.0, 2.0)


def _line(seconds: float, result: Soaked) -> str:
    memory = '  '.join(f'{name} {rows[-1][1]:.1f} MB' for name, rows in result.memory.items())
    return f'{seconds / 60.0:6.1f} min  {memory}  {result.faults} faults'


@ends_with_a_line(NodeDied, OSError)
def main(args: list[str] | None = None) -> int:
    """Soak; return 0 where nothing grows and nothing was raised, else 1."""
    given = _arguments().parse_args(args)
    shown = [0.0]

    def show(line: str) -> None:
        if time.monotonic() - shown[0] > 30.0:
            shown[0] = time.monotonic()
            print(line, flush=True)

    with TemporaryDirectory() as folder:
        result = soak(given.minutes, given.factor, given.seed, Path(folder) / 'words', show)
    numbers: dict[str, Any] = {
        'simulated_hours': result.simulated_hours, 'faults': result.faults,
        'growth_mb': {name: result.growth(name) for name in _NODES},
        'answered_share': [result.answered_share(False), result.answered_share(True)],
        'problems': result.problems()}
    print(f'{result.simulated_hours:.2f} simulated hours, {result.faults} faults')
    for name, growth in numbers['growth_mb'].items():
        print(f'{name}: {growth:+.2f} MB after the warm-up')
    print(f'odometry answered by a prediction: {result.answered_share(False):.2f} in the first '
          f'half, {result.answered_share(True):.2f} in the second')
    for problem in result.problems():
        print(f'FAILED: {problem}')
    if given.json:
        write_json(given.json, numbers)
    return 1 if result.problems() else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='soak', description=__doc__)
    parser.add_argument('--minutes', type=positive, required=True, help='of real time')
    parser.add_argument('--factor', type=positive, default=2.0,
                        help='simulated seconds per second (default: 2)')
    parser.add_argument('--seed', type=int, default=0, help='of drives and faults')
    parser.add_argument('--json', type=Path, metavar='F', help='file for the numbers')
    return parser


if __name__ == '__main__':
    sys.exit(main())
