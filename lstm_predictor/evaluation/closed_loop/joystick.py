"""
Runs of the bench under a joystick: how closely the robot moves like an ideal one.

The joystick does not see the robot. Scored is the displacement of the robot within a time,
relative to that of an ideal robot under the same commands, which starts an input delay earlier:
a delay cannot be undone.
"""

from dataclasses import replace
from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.common.metrics import rms
from lstm_predictor.common.readings import Command
from lstm_predictor.control.compensator import Compensator, ReplannerConfig
from lstm_predictor.evaluation.closed_loop.case import JOYSTICK_ROBOTS, PERIOD_NS, quantum_of
from lstm_predictor.evaluation.closed_loop.pose_sources import (
    LatestOdometry, OnlinePredictor, START_NS)
from lstm_predictor.evaluation.closed_loop.runner import pass_period, replanned
from lstm_predictor.evaluation.closed_loop.score import jerk
from lstm_predictor.model.model_file import LoadedModel
from lstm_predictor.prediction.predictor import PredictorConfig
from lstm_predictor.simulation.command_sources import Driver, Ramps, Smooth, StopAndGo
from lstm_predictor.simulation.robot import Robot

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SECONDS = 40.0  # of driving
_SPAN = 40  # periods over which poses are compared
_SETTLING = 100  # periods at the start that are not scored
_SPEEDS = (0.15, 1.0)  # largest requests of the joystick [m/s], [rad/s]


class JoystickRun(NamedTuple):
    """One run, a row per period."""

    requested: Array  # by the joystick [m/s], [rad/s] (n, 2)
    sent: Array  # to the robot [m/s], [rad/s] (n, 2)
    truth: Array  # of the robot at the end of each period: pose, speed, yaw rate (n, 5)


def joystick(seed: int) -> Driver:
    """Return one of three kinds of driver."""
    kinds = (Ramps, StopAndGo, Smooth)
    return kinds[seed % len(kinds)](np.random.default_rng([seed, 2]), *_SPEEDS)


def drive(name: str, method: str, seed: int, model: LoadedModel,
          config: ReplannerConfig = ReplannerConfig()) -> JoystickRun:
    """Return one run; `method` is raw, or lstm for commands that pass through the replanner."""
    robot = Robot(JOYSTICK_ROBOTS[name], seed)
    config = replace(config, command_resolution=quantum_of(robot.config))
    driver = joystick(seed)
    pose_source = OnlinePredictor(model, PredictorConfig()) if method == 'lstm' \
        else LatestOdometry()
    replanner = Compensator(config)
    requested, sent, truth = [], [], []
    while robot.time_ns < 1e9 * SECONDS:
        now = 1e-9 * robot.time_ns
        request = Command(START_NS + robot.time_ns, *driver.command(now, None))
        command = replanned(replanner, request, pose_source, now) if method == 'lstm' \
            else request
        pass_period(robot, pose_source, command.speed, command.yaw_rate)
        requested.append(request[1:])
        sent.append(command[1:])
        at = robot.ground_truth()
        truth.append([at.x, at.y, at.yaw, at.speed, at.yaw_rate])
    return JoystickRun(np.array(requested), np.array(sent), np.array(truth))


def errors(run: JoystickRun, delay: float) -> dict[str, float]:
    """
    Return how far the robot is from where an ideal one gets, a `delay` [s] later.

    By the names of the JSON: `pose_rmse_m` is the distance, `cross_track_rmse_m` the part of it
    that is beside the ideal robot.
    """
    period = 1e-9 * PERIOD_NS
    motions = np.zeros((len(run.requested), 3))
    motions[:, [0, 2]] = run.requested * period
    ideal = [np.zeros(3)]
    for motion in motions:
        ideal.append(se2.compose(ideal[-1], se2.exp(motion)))
    poses = np.concatenate([np.zeros((1, 3)), run.truth[:, :3]])
    late = round(delay / period)
    starts = np.arange(_SETTLING, len(poses) - _SPAN - late)
    motion = se2.between(poses[starts + late], poses[starts + late + _SPAN])
    ideal_motion = se2.between(np.array(ideal)[starts], np.array(ideal)[starts + _SPAN])
    error = se2.between(ideal_motion, motion)
    return {
        'pose_rmse_m': float(rms(np.hypot(error[:, 0], error[:, 1]))),
        'cross_track_rmse_m': float(rms(error[:, 1])),
        'cross_track_max_m': float(np.abs(error[:, 1]).max()),
        'heading_rmse_rad': float(rms(error[:, 2])),
        'jerk': jerk(run.truth)}
