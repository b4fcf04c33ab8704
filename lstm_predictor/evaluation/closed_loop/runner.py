"""One run of the closed-loop bench, in simulated time."""

from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.common.readings import Command
from lstm_predictor.control.compensator import (
    Compensator, MIN_HORIZON_NS, ReplannerConfig, Target)
from lstm_predictor.control.mppi import Mppi, MppiConfig, MppiLaw
from lstm_predictor.control.regulated_pure_pursuit import Pursuit
from lstm_predictor.control.status import ReplannerStatus
from lstm_predictor.evaluation.closed_loop.case import (
    Case, MPPI, PERIOD_NS, pursuit_config, quantum_of, robot_config, SPEED, start_pose, time_limit)
from lstm_predictor.evaluation.closed_loop.courses import COURSES
from lstm_predictor.evaluation.closed_loop.pose_sources import (
    ConstantVelocity, KnownDelayReplay, LatestOdometry, OnlinePredictor, Oracle, START_NS)
from lstm_predictor.model.model_file import LoadedModel
from lstm_predictor.prediction.predictor import PredictorConfig
from lstm_predictor.simulation.command_sources import Smooth
from lstm_predictor.simulation.robot import Robot, TippedOver
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import sample

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LOST = 1.0  # from the path, beyond which the run has failed [m]
_AT_GOAL = 0.2  # from the goal, within which the robot has to come to rest [m]
_COMING_TO_REST_NS = 2_000_000_000  # [ns]


class Drive(NamedTuple):
    """The trajectory of one run, a row per period."""

    times: Array  # [s] (n,)
    truth: Array  # x [m], y [m], yaw [rad], speed [m/s], yaw rate [rad/s] (n, 5)
    commands: Array  # as the robot got them [m/s], [rad/s] (n, 2)
    arrived: bool


def drive(case: Case, model: LoadedModel, before: float = 0.0) -> Drive:
    """
    Return one run; it ends at the goal, far from the path, or after too long.

    A time `before` [s] of random driving precedes it, in which the predictor may adapt.
    """
    course = COURSES[case.course]
    config = robot_config(case)
    robot = Robot(config, case.seed)
    start = start_pose(case.seed)
    pose_source = pose_source_of(case.method, config, case.seed, model)
    corrects = case.method == 'lstm_compensated' and case.source != MPPI
    replanner = Compensator(ReplannerConfig(command_resolution=quantum_of(config))) \
        if corrects else None
    if before > 0.0:
        driver = Smooth(np.random.default_rng([case.seed, 3]), SPEED, 1.0)
        while robot.time_ns < 1e9 * before:
            time = 1e-9 * robot.time_ns
            moving = time < before - 2.0
            pass_period(robot, pose_source,
                        *(driver.command(time, None) if moving else (0.0, 0.0)))
        start = se2.compose(start, se2.inverse(np.array(robot.ground_truth()[1:4])))
    law = mppi_law(case.seed) if case.source == MPPI else None
    pursuit = Pursuit(pursuit_config(case.source, case.lookahead), law)
    pursuit.follow(course.plan)
    times, truth, commands = [], [], []
    arrived = False
    begin_ns = robot.time_ns
    while robot.time_ns - begin_ns < 1e9 * time_limit(course) and not arrived:
        now = 1e-9 * robot.time_ns
        pose = pose_source.pose()
        if law is not None and isinstance(pose_source, OnlinePredictor):
            # The model plans from the present pose: it knows the commands not yet executed.
            pose = np.array(pose_source.odometry[1:4])
            law.rollout = pose_source.rollout(law.mppi.config.model_dt)
        output = pursuit.command(se2.compose(start, pose), now)
        arrived = output.status is ReplannerStatus.AT_GOAL
        speed, yaw_rate = (0.0, 0.0) if course.pauses(now) else (output.speed, output.yaw_rate)
        command = Command(START_NS + robot.time_ns, speed, yaw_rate)
        if replanner is not None:
            command = replanned(replanner, command, pose_source, now)
        try:
            pass_period(robot, pose_source, command.speed, command.yaw_rate)
        except TippedOver:
            break
        at = robot.ground_truth()
        pose = se2.compose(start, np.array([at.x, at.y, at.yaw]))
        times.append(1e-9 * (robot.time_ns - begin_ns))
        truth.append([*pose.tolist(), at.speed, at.yaw_rate])
        commands.append([command.speed, command.yaw_rate])
        if course.plan.nearest(pose[:2])[1] > _LOST:
            break
    if arrived:  # by the pose that the source had; the robot itself is still on its way
        robot.command(0.0, 0.0)
        robot.advance(robot.time_ns + _COMING_TO_REST_NS)
        rest = se2.compose(start, np.array(robot.ground_truth()[1:4]))
        arrived = bool(np.hypot(*(rest[:2] - course.plan.goal[:2])) < _AT_GOAL)
    return Drive(np.array(times), np.array(truth), np.array(commands), arrived)


def pass_period(robot: Robot, pose_source: LatestOdometry, speed: float, yaw_rate: float) -> None:
    """Command the robot for one period; the pose source gets the command and all readings."""
    command = Command(START_NS + robot.time_ns, speed, yaw_rate)
    robot.command(command.speed, command.yaw_rate)
    pose_source.add(command)
    for reading in robot.advance(robot.time_ns + PERIOD_NS):
        received = sample(reading)
        if received is not None:
            pose_source.add(received._replace(stamp_ns=START_NS + received.stamp_ns))


def mppi_law(seed: int) -> MppiLaw:
    """Return the planner of the bench: 10 Hz, 1.5 s ahead."""
    return MppiLaw(Mppi(MppiConfig(seed=seed), (0.22, 2.84), (-0.05, -2.84)), every=2)


def replanned(replanner: Compensator, command: Command, pose_source: LatestOdometry, now: float
              ) -> Command:
    """Return the output of the replanner for a command."""
    replanner.set_odometry(pose_source.odometry)
    replanner.set_upstream(command, now)
    prediction = pose_source.prediction if isinstance(pose_source, OnlinePredictor) else None
    if prediction is not None and prediction.is_finite():
        step = prediction.at(max(prediction.actuation_latency, 1e-9 * MIN_HORIZON_NS))
        replanner.set_target(Target(step.stamp_ns, step.pose), now)
        replanner.set_actuation_latency(prediction.actuation_latency)
    output = replanner.output(now)
    return command._replace(speed=output.speed, yaw_rate=output.yaw_rate)


def pose_source_of(method: str, config: RobotConfig, seed: int, model: LoadedModel
                   ) -> LatestOdometry:
    """Return the pose source of a method."""
    delay, lag = config.command_delay, config.motor_lag
    if method == 'constant_velocity':
        return ConstantVelocity(delay + 0.5 * lag)
    if method == 'command_replay':
        return KnownDelayReplay(model, delay, lag, delay + 0.5 * lag)
    if method in ('lstm', 'lstm_compensated'):
        return OnlinePredictor(model, PredictorConfig())
    if method == 'oracle':
        return Oracle(config, seed)
    return LatestOdometry()
