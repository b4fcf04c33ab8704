"""
Endurance test: run the nodes for long, with random drives and faults, and check their memory.

Simulated time passes faster than real time.
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

from fault_injection import injections as inject, message_faults as corrupt
from fault_injection.injections import Inject
from fault_injection.testbed import Setting, Testbed
from lstm_predictor.cli.arguments import positive, write_json
from lstm_predictor.cli.errors import report_errors
from lstm_predictor.nodes.session import session
from lstm_predictor.nodes.subprocesses import NodeDied, Nodes, own_domain

import numpy as np

from scipy.stats import theilslopes

_NODES = ('predictor', 'replanner', 'command_guard')
_WARM_UP = 1.0 / 3.0  # fraction of the time after which memory must not grow [-]
_MAX_GROWTH = 2.0  # [MB]
_MIN_ANSWERED = 0.8  # of the odometry without faults, over the same at first [-]
_SLOPES = 1000  # samples between any two of which the slope is taken
_SAMPLE = 1.0  # between two samples of the memory [s]
# Faults that come and go on the wires.
_FAULTS: tuple[Callable[[], Inject], ...] = (
    lambda: inject.wire(odom=corrupt.nothing),
    lambda: inject.wire(imu=corrupt.nothing),
    lambda: inject.wire(predicted_path=corrupt.nothing, predicted_pose=corrupt.nothing),
    lambda: inject.wire(odom=corrupt.setting('twist.twist.linear.x', corrupt.NAN)),
    lambda: inject.wire(odom=corrupt.setting('pose.pose.position.x', corrupt.NAN)),
    lambda: inject.wire(imu=corrupt.setting('angular_velocity.z', 1e300)),
    lambda: inject.wire(cmd_vel_in=corrupt.not_finite(corrupt.INF)),
    lambda: inject.wire(predicted_path=inject.nan_path),
    lambda: inject.wire(odom=corrupt.repeated_stamp()),
    lambda: inject.wire(odom=corrupt.swapped()),
    lambda: inject.shift(2_000_000_000, 'odom', 'imu'),
    lambda: inject.shift(-2_000_000_000, 'odom', 'imu'),
    lambda: inject.wire(odom=inject.zero_stamp),
    lambda: inject.lossy(0.5),
    lambda: inject.teleport(5.0),
)


@dataclass
class SoakResult:
    """The observations of an endurance test."""

    simulated_hours: float = 0.0
    faults: int = 0
    memory: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: {name: [] for name in _NODES})  # [s] from the start, [MB]
    answered: list[tuple[float, float]] = field(default_factory=list)  # [s], share [-]
    errors: list[str] = field(default_factory=list)  # in the log of the nodes

    def growth(self, name: str) -> float:
        """
        Return how much more memory a node has at the end than after the warm-up [MB].

        By the Theil-Sen slope: memory that is released again does not count.
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
        """Return the problems as text."""
        found = [f'{name} grew by {self.growth(name):.2f} MB' for name in _NODES
                 if self.growth(name) > _MAX_GROWTH]
        shares = [self.answered_share(last) for last in (False, True)]
        if not np.isnan(shares).any() and not shares[1] > _MIN_ANSWERED * shares[0]:
            found.append(f'predictions fall behind: {shares[0]:.2f} of the odometry was answered '
                         f'at first, {shares[1]:.2f} later')
        return found + [f'a node logged: {line}' for line in self.errors[:3]]


def soak(minutes: float, factor: float, seed: int, log: Path,
         show: Callable[[str], object] = lambda line: None) -> SoakResult:
    """Return the observations of so many minutes; raise NodeDied where a node ends."""
    result, draws = SoakResult(), random.Random(seed)
    with own_domain(), Nodes(log) as nodes, session('soak') as source:
        testbed = Testbed(source, nodes, Setting(sim_time=True, factor=factor))
        if not testbed.wait_for(testbed.drives, 60.0):
            raise NodeDied('the robot does not drive to begin with')
        began, begin_ns = time.monotonic(), testbed.now_ns()
        running: inject.Injection | None = None
        while time.monotonic() - began < 60.0 * minutes:
            testbed.command = _command(draws)
            if running is not None:
                running.end()
                running = None
            elif draws.random() < 0.5:
                running = draws.choice(_FAULTS)()(testbed)
                result.faults += 1
            testbed.wait(1.5)  # in which predictions begin again after a fault
            testbed.observations.clear()
            testbed.wait(_SAMPLE + draws.random())
            nodes.check()
            received = len(testbed.observations.odometry_at)
            seconds = time.monotonic() - began
            for name in _NODES:
                result.memory[name].append((seconds, nodes.memory(name)))
            if running is None and received:
                result.answered.append((seconds, testbed.observations.predictions / received))
            show(_line(seconds, result))
        result.simulated_hours = 1e-9 * (testbed.now_ns() - begin_ns) / 3600.0
    result.errors = [line for line in log.read_text(errors='replace').splitlines()
                     if 'Traceback' in line or '[ERROR]' in line or 'Error:' in line]
    return result


def _command(draws: random.Random) -> tuple[float, float] | None:
    """Return the next command of the source, sometimes zero or none."""
    kind = draws.random()
    if kind < 0.1:
        return None
    if kind < 0.2:
        return 0.0, 0.0
    return draws.uniform(-0.22, 0.22), draws.uniform(-2.0, 2.0)


def _line(seconds: float, result: SoakResult) -> str:
    memory = '  '.join(f'{name} {rows[-1][1]:.1f} MB' for name, rows in result.memory.items())
    return f'{seconds / 60.0:6.1f} min  {memory}  {result.faults} faults'


@report_errors()
def main(args: list[str] | None = None) -> int:
    """Run the test; return 0 where memory does not grow and nothing was logged, else 1."""
    given = _arguments().parse_args(args)
    shown = [0.0]

    def show(line: str) -> None:
        if time.monotonic() - shown[0] > 30.0:
            shown[0] = time.monotonic()
            print(line, flush=True)

    with TemporaryDirectory() as folder:
        result = soak(given.minutes, given.factor, given.seed, Path(folder) / 'log', show)
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
