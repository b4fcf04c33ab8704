"""
A simulated robot under a joystick: how well it moves as an ideal one would.

The source does not look at the robot. What counts is where the robot gets within a time, beside
where an ideal robot gets under the same commands; both start when the command takes effect, for
a dead time cannot be undone.
"""

from dataclasses import replace
from typing import NamedTuple

from lstm_predictor.core import se2
from lstm_predictor.core.artifact import Artifact
from lstm_predictor.core.predictor import PredictorConfig
from lstm_predictor.core.replanner import Replanner, ReplannerConfig
from lstm_predictor.core.samples import Command
from lstm_predictor.sim.closed_loop import (
    ICE, jerk, pass_period, PERIOD_NS, quantum_of, replanned, rms, ROBOTS)
from lstm_predictor.sim.drivers import Driver, Ramps, Smooth, StopAndGo
from lstm_predictor.sim.robot import Robot
from lstm_predictor.sim.robot_config import RobotConfig
from lstm_predictor.sim.steering import Learned, Raw, START_NS

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SECONDS = 40.0  # of driving
_SPAN = 40  # periods over which poses are compared
_SETTLING = 100  # periods at the start that are not scored
_SPEEDS = (0.15, 1.0)  # that a joystick asks for at most [m/s], [rad/s]


class Played(NamedTuple):
    """One run, a row per period."""

    asked: Array  # by the joystick [m/s], [rad/s] (n, 2)
    sent: Array  # to the robot [m/s], [rad/s] (n, 2)
    truth: Array  # of the robot at the end of each period: pose, speed, yaw rate (n, 5)


def joystick(seed: int) -> Driver:
    """Return one of three temperaments."""
    kinds = (Ramps, StopAndGo, Smooth)
    return kinds[seed % len(kinds)](np.random.default_rng([seed, 2]), *_SPEEDS)


def robot_of(name: str, seed: int) -> RobotConfig:
    """Return a robot of the bench by its name; 'weak' has a gain of 0.8 and slips."""
    if name == 'weak':
        return replace(ROBOTS['gain'], slip_patch_share=0.2, slip_patch_friction=ICE)
    return ROBOTS[name]


def play(name: str, method: str, seed: int, artifact: Artifact,
         config: ReplannerConfig = ReplannerConfig()) -> Played:
    """Return one run; `method` is raw, or lstm for the commands through the replanner."""
    robot = Robot(robot_of(name, seed), seed)
    config = replace(config, command_quantum=quantum_of(robot.config))
    driver = joystick(seed)
    learned = Learned(artifact, PredictorConfig()) if method == 'lstm' else Raw()
    replanner = Replanner(config)
    asked, sent, truth = [], [], []
    while robot.time_ns < 1e9 * SECONDS:
        now = 1e-9 * robot.time_ns
        wanted = Command(START_NS + robot.time_ns, *driver.command(now, None))
        given = replanned(replanner, wanted, learned, now) if method == 'lstm' else wanted
        pass_period(robot, learned, given.speed, given.yaw_rate)
        asked.append(wanted[1:])
        sent.append(given[1:])
        at = robot.ground_truth()
        truth.append([at.x, at.y, at.yaw, at.speed, at.yaw_rate])
    return Played(np.array(asked), np.array(sent), np.array(truth))


def errors(played: Played, delay: float) -> dict[str, float]:
    """
    Return how far the robot is from where an ideal one gets, a dead time [s] later.

    By the names of the JSON: `pose_rmse_m` is the distance, `cross_track_rmse_m` the part of it
    that is beside the ideal robot.
    """
    period = 1e-9 * PERIOD_NS
    motions = np.zeros((len(played.asked), 3))
    motions[:, [0, 2]] = played.asked * period
    ideal = [np.zeros(3)]
    for motion in motions:
        ideal.append(se2.compose(ideal[-1], se2.exp(motion)))
    poses = np.concatenate([np.zeros((1, 3)), played.truth[:, :3]])
    late = round(delay / period)
    starts = np.arange(_SETTLING, len(poses) - _SPAN - late)
    moved = se2.between(poses[starts + late], poses[starts + late + _SPAN])
    meant = se2.between(np.array(ideal)[starts], np.array(ideal)[starts + _SPAN])
    missed = se2.between(meant, moved)
    return {
        'pose_rmse_m': rms(np.hypot(missed[:, 0], missed[:, 1])),
        'cross_track_rmse_m': rms(missed[:, 1]),
        'cross_track_max_m': float(np.abs(missed[:, 1]).max()),
        'heading_rmse_rad': rms(missed[:, 2]),
        'jerk': jerk(played.truth)}
