"""The runs of `closed-loop`, in as many processes as there are cores."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
import os
from pathlib import Path
import signal
from typing import Any, NamedTuple

from lstm_predictor.cli.closed_loop_summary import JOYSTICK, Score
from lstm_predictor.core import artifact
from lstm_predictor.sim import open_loop
from lstm_predictor.sim.closed_loop import Case, Drive, drive, score
from lstm_predictor.sim.robot import TippedOver
from lstm_predictor.sim.routes import route

import numpy as np
from numpy.typing import NDArray

from tqdm import tqdm

Array = NDArray[np.float64]


class Job(NamedTuple):
    """A run, and whether its path will be drawn."""

    case: Case
    model: Path
    drawn: bool


def each(jobs: list[Job], processes: int) -> Iterator[tuple[Score, Array | None]]:
    """Yield what `run` returns for each job, in order; the same for any number of processes."""
    with _started(min(processes, len(jobs))) as mapped:
        yield from _shown(mapped(run, jobs), len(jobs))


def each_in_real_time(jobs: list[Job]) -> Iterator[tuple[Score, Array | None]]:
    """Yield the same as `each`, of the real nodes."""
    from lstm_predictor.cli import closed_loop_ros
    yield from _shown((_scored(job, closed_loop_ros.drive(job.case, job.model)) for job in jobs),
                      len(jobs))


def _shown(results: Any, count: int) -> Iterator[tuple[Score, Array | None]]:
    yield from tqdm(results, total=count, desc='runs', unit='run',
                    disable=None)  # where nobody sees it


def _scored(job: Job, driven: Drive) -> tuple[Score, Array | None]:
    return (score(driven, route(job.case.course).plan),
            driven.truth[:, :2] if job.drawn else None)


def run(job: Job) -> tuple[Score, Array | None]:
    """Return the errors of a run, and where the robot was (n, 2) [m] if that will be drawn."""
    case, model = job.case, _model(job.model)
    if case.source == JOYSTICK:
        return _played(case, model), None
    return _scored(job, drive(case, model))


def _played(case: Case, model: artifact.Artifact) -> Score:
    try:
        played = open_loop.play(case.robot, case.method, case.seed, model)
    except TippedOver:
        return {'failed': 1}
    delay = open_loop.robot_of(case.robot, case.seed).command_delay
    return {'pose_rmse_m': open_loop.error(played, delay), 'time_s': open_loop.SECONDS,
            'failed': 0}


def _model(path: Path) -> artifact.Artifact:
    """Return the model, read once in each process."""
    if path not in _MODELS:
        import torch
        torch.set_num_threads(1)
        _MODELS[path] = artifact.load(path)
    return _MODELS[path]


_MODELS: dict[Path, artifact.Artifact] = {}


@contextmanager
def _started(processes: int) -> Iterator[Any]:
    """Give a `map` that uses so many processes of one thread; Ctrl-C reaches this one alone."""
    if processes == 1:
        yield map
        return
    threads = os.environ.get('OMP_NUM_THREADS')
    # What is ignored now is ignored by the processes that are started now.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ['OMP_NUM_THREADS'] = '1'
    try:
        # Not fork: the parent may have threads of torch.
        with get_context('spawn').Pool(processes) as pool:
            signal.signal(signal.SIGINT, interrupt)
            yield pool.imap
    finally:
        signal.signal(signal.SIGINT, interrupt)
        del os.environ['OMP_NUM_THREADS']
        if threads is not None:
            os.environ['OMP_NUM_THREADS'] = threads
