"""The runs of `closed-loop`, spread over processes, or in real time with the nodes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lstm_predictor.evaluation.closed_loop import joystick
from lstm_predictor.evaluation.closed_loop.case import Case, JOYSTICK, JOYSTICK_ROBOTS
from lstm_predictor.evaluation.closed_loop.courses import COURSES
from lstm_predictor.evaluation.closed_loop.runner import Drive, drive
from lstm_predictor.evaluation.closed_loop.score import score
from lstm_predictor.evaluation.closed_loop.summary import Score
from lstm_predictor.model import model_file
from lstm_predictor.model.model_file import load_once
from lstm_predictor.simulation.robot import TippedOver
from lstm_predictor.training import parallel

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# No bar where the output is no terminal.
_BAR: dict[str, Any] = {'desc': 'runs', 'unit': 'run', 'disable': None}


class Job(NamedTuple):
    """A run to do, and whether its path will be drawn."""

    case: Case
    model: Path
    drawn: bool


def each(jobs: list[Job], processes: int) -> Iterator[tuple[Score, Array | None]]:
    """Return what `run` returns for each job, in order; the same for any number of processes."""
    return parallel.each(run, jobs, processes, **_BAR)


def each_in_real_time(jobs: list[Job]) -> Iterator[tuple[Score, Array | None]]:
    """Return the same as `each`, of the real nodes, one run after the other."""
    from lstm_predictor.evaluation.closed_loop import ros_run
    return parallel.each(
        lambda job: _scored(job, ros_run.drive(job.case, job.model)), jobs, 1, **_BAR)


def _scored(job: Job, driven: Drive) -> tuple[Score, Array | None]:
    return (score(driven, COURSES[job.case.course].plan),
            driven.truth[:, :2] if job.drawn else None)


def run(job: Job) -> tuple[Score, Array | None]:
    """Return the errors of a run, and where the robot was (n, 2) [m] if that will be drawn."""
    case, model = job.case, load_once(job.model)
    if case.source == JOYSTICK:
        return _joystick_score(case, model), None
    return _scored(job, drive(case, model))


def _joystick_score(case: Case, model: model_file.LoadedModel) -> Score:
    try:
        driven = joystick.drive(case.robot, case.method, case.seed, model)
    except TippedOver:
        return {'failed': 1}
    delay = JOYSTICK_ROBOTS[case.robot].command_delay
    return {**joystick.errors(driven, delay), 'time_s': joystick.SECONDS, 'failed': 0}
