"""The runs of `closed-loop`, in as many processes as there are cores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lstm_predictor.cli.closed_loop_summary import JOYSTICK, Score
from lstm_predictor.cli.models import model_once
from lstm_predictor.core import artifact
from lstm_predictor.learning import parallel
from lstm_predictor.sim import open_loop
from lstm_predictor.sim.closed_loop import Case, Drive, drive, score
from lstm_predictor.sim.robot import TippedOver
from lstm_predictor.sim.routes import ROUTES

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BAR: dict[str, Any] = {'desc': 'runs', 'unit': 'run', 'disable': None}  # where nobody sees it

# What the source steers by and where its commands go, of the real nodes.
CHAINS = {'raw': ('odom', 'cmd_vel'), 'lstm': ('predicted_odom', 'cmd_vel'),
          'lstm_compensated': ('predicted_odom', 'cmd_vel_in')}


class Job(NamedTuple):
    """A run, and whether its path will be drawn."""

    case: Case
    model: Path
    drawn: bool


def each(jobs: list[Job], processes: int) -> Iterator[tuple[Score, Array | None]]:
    """Return what `run` returns for each job, in order; the same for any number of processes."""
    return parallel.each(run, jobs, processes, **_BAR)


def each_in_real_time(jobs: list[Job]) -> Iterator[tuple[Score, Array | None]]:
    """Return the same as `each`, of the real nodes, one run after the other."""
    from lstm_predictor.cli import closed_loop_ros
    return parallel.each(
        lambda job: _scored(job, closed_loop_ros.drive(job.case, job.model)), jobs, 1, **_BAR)


def _scored(job: Job, driven: Drive) -> tuple[Score, Array | None]:
    return (score(driven, ROUTES[job.case.course].plan),
            driven.truth[:, :2] if job.drawn else None)


def run(job: Job) -> tuple[Score, Array | None]:
    """Return the errors of a run, and where the robot was (n, 2) [m] if that will be drawn."""
    case, model = job.case, model_once(job.model)
    if case.source == JOYSTICK:
        return _played(case, model), None
    return _scored(job, drive(case, model))


def _played(case: Case, model: artifact.Artifact) -> Score:
    try:
        played = open_loop.play(case.robot, case.method, case.seed, model)
    except TippedOver:
        return {'failed': 1}
    delay = open_loop.robot_of(case.robot, case.seed).command_delay
    return {**open_loop.errors(played, delay), 'time_s': open_loop.SECONDS, 'failed': 0}
