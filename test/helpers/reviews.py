"""A drive along a circle as the report shows it."""

from helpers.bags import SECOND, START
from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.common.se2 import compose, exp
from lstm_predictor.evaluation.report.review import (
    MixtureState, Prediction, Region, Review, whole_drive)
import numpy as np

STEP = SECOND // 20  # [ns]
HORIZON = 40  # steps
TWIST = np.array([0.2, 0.0, 0.5])  # along x [m/s], along y [m/s], turn [rad/s]


def pose_at(stamp_ns):
    """Return where a robot is that drives along a circle for ever, (..., 3)."""
    return exp(TWIST * 1e-9 * (np.asarray(stamp_ns)[..., None] - START))


def prediction(anchor_ns, push=0.0, spreads=0.01):
    """Return the right prediction, but that it is `push` [m] too far ahead."""
    stamps = anchor_ns + STEP * np.arange(1, HORIZON + 1)
    poses = compose(pose_at(stamps), [push, 0.0, 0.0])
    covariance = np.diag([spreads, spreads, spreads]) ** 2
    return Prediction(anchor_ns, stamps, poses, [
        Region(int(stamps[9]), poses[9], covariance)])


def made_up(seconds=20.0, push=0.0, mixture_states=(), problems=(), **changes):
    """Return a review of a drive along a circle."""
    window = whole_drive()
    stamps = START + STEP * np.arange(round(20 * seconds) + 1)
    for stamp, pose in zip(stamps.tolist(), pose_at(stamps).tolist()):
        window.add(Odometry(stamp, *pose, TWIST[0], TWIST[2]))
    commands = [Command(int(stamp), TWIST[0], TWIST[2]) for stamp in stamps[::4]]
    return Review(**{
        'name': 'circle', 'source': 'made up', 'odometry': window,
        'commands': {'asked for': commands, 'sent to the robot': commands},
        'predictions': [prediction(stamp, push) for stamp in stamps[20:].tolist()],
        'mixture_states': list(mixture_states), 'problems': list(problems), **changes})


def judged(second, first):
    return MixtureState(START + second * SECOND, {'lstm': first, 'arx_online': 1.0 - first},
                        {1.0: 0.9}, '' if first > 0.5 else 'worse')
