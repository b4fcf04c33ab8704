"""A simulated robot driven around a course by some source, with some method in between."""

from dataclasses import dataclass, replace
import math
from typing import NamedTuple

from lstm_predictor.core import se2
from lstm_predictor.core.artifact import Artifact
from lstm_predictor.core.limiter import Triple
from lstm_predictor.core.mppi import Mppi, MppiConfig, MppiLaw
from lstm_predictor.core.plan import Plan
from lstm_predictor.core.predictor import PredictorConfig
from lstm_predictor.core.pursuit import ARRIVED, Pursuit, PursuitConfig
from lstm_predictor.core.replanner import LEAST_HORIZON_NS, Replanner, ReplannerConfig, Target
from lstm_predictor.core.samples import Command
from lstm_predictor.sim.drivers import Smooth
from lstm_predictor.sim.readings import sample
from lstm_predictor.sim.robot import Robot, TippedOver
from lstm_predictor.sim.robot_config import RobotConfig
from lstm_predictor.sim.routes import Route, ROUTES
from lstm_predictor.sim.steering import (
    ConstantVelocity, Learned, Oracle, Raw, Replay, START_NS)

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PERIOD_NS = 50_000_000  # of the source's commands [ns]
SPEED = 0.2  # that sources ask for [m/s]
METHODS = ('raw', 'constant_velocity', 'command_replay', 'lstm', 'lstm_compensated', 'oracle')
_SETTLING = 2.0  # from the start, which is a little beside the path; not scored [s]
_LOST = 1.0  # from the path; then the run has failed [m]
_AT_GOAL = 0.2  # where a robot has to come to rest that says it has arrived [m]
_COMING_TO_REST_NS = 2_000_000_000  # [ns]
_PATIENCE = 2.5  # times the time that a perfect robot needs

ICE = 0.03  # friction on a patch: more hardly ever slips at these speeds [-]
_REAL = RobotConfig(
    motor_lag=0.15, odom_rate=20.0, imu_rate=100.0, odometry_noise=0.001, gyro_noise=0.005,
    acceleration_noise=0.05)
ROBOTS = {
    'ideal': RobotConfig(
        motor_lag=0.0, command_quantum=0.0, max_acceleration=30.0, max_yaw_acceleration=300.0,
        motor_torque=1.0, odom_rate=20.0, imu_rate=100.0, gyro_noise=0.0,
        acceleration_noise=0.0),
    'delay_0.1': replace(_REAL, command_delay=0.1),
    'delay_0.2': replace(_REAL, command_delay=0.2),
    'delay_0.364': replace(_REAL, command_delay=0.364),
    'delay_0.5': replace(_REAL, command_delay=0.5),
    'lag': replace(_REAL, motor_lag=0.4),
    'gain': replace(_REAL, speed_gain=0.8, yaw_rate_gain=0.8),
    'slip': replace(_REAL, slip_patch_share=0.3, slip_patch_friction=ICE),
    'payload': replace(_REAL, payload=2.0, motor_torque=0.03),
    'all': replace(_REAL, command_delay=0.25, motor_lag=0.25, speed_gain=0.85,
                   yaw_rate_gain=0.85, slip_patch_share=0.3, slip_patch_friction=ICE,
                   payload=2.0, motor_torque=0.05),
}


@dataclass(frozen=True)
class Case:
    """One run of the bench."""

    course: str
    robot: str
    source: str
    method: str
    lookahead: float  # [s]
    seed: int


class Drive(NamedTuple):
    """What a run leaves behind, a row per period."""

    times: Array  # [s] (n,)
    truth: Array  # x [m], y [m], yaw [rad], speed [m/s], yaw rate [rad/s] (n, 5)
    commands: Array  # as the robot got them [m/s], [rad/s] (n, 2)
    arrived: bool


def pursuit_config(source: str, lookahead: float) -> PursuitConfig:
    """Return the path follower of a name, looking so far ahead [s]."""
    config = PursuitConfig(
        desired_linear_vel=SPEED, lookahead_time=lookahead, min_lookahead_dist=0.05,
        rotate_to_heading_angular_vel=1.5)
    if source != 'pursuit':
        return config
    # Plain pursuit: no slowing down, no turn on the spot.
    return replace(config, regulated_linear_scaling_min_radius=1e-3,
                   approach_velocity_scaling_dist=1e-3, use_rotate_to_heading=False)


def drive(case: Case, artifact: Artifact, before: float = 0.0) -> Drive:
    """
    Return one run; it ends at the goal, lost, or after too long.

    The robot is driven about for a time `before` [s], in which its method may get to know it.
    """
    course = ROUTES[case.course]
    config = robot_config(case)
    robot = Robot(config, case.seed)
    start = beside_the_start(case.seed)
    steering = steering_of(case.method, config, case.seed, artifact)
    corrects = case.method == 'lstm_compensated' and case.source != 'mppi'
    replanner = Replanner(ReplannerConfig(command_quantum=quantum_of(config))) \
        if corrects else None
    if before > 0.0:
        driver = Smooth(np.random.default_rng([case.seed, 3]), SPEED, 1.0)
        while robot.time_ns < 1e9 * before:
            time = 1e-9 * robot.time_ns
            moving = time < before - 2.0
            pass_period(robot, steering, *(driver.command(time, None) if moving else (0.0, 0.0)))
        start = se2.compose(start, se2.inverse(np.array(robot.ground_truth()[1:4])))
    law = mppi_law(case.seed) if case.source == 'mppi' else None
    pursuit = Pursuit(pursuit_config(case.source, case.lookahead), law)
    pursuit.follow(course.plan)
    times, truth, commands = [], [], []
    arrived = False
    begin_ns = robot.time_ns
    while robot.time_ns - begin_ns < 1e9 * longest(course) and not arrived:
        now = 1e-9 * robot.time_ns
        pose = steering.pose()
        if law is not None and isinstance(steering, Learned):
            # The model plans from where the robot is; the commands on their way are known to it.
            pose = np.array(steering.odometry[1:4])
            law.rollout = steering.rollout(law.mppi.config.model_dt)
        speed, yaw_rate, doing = pursuit.command(
            se2.compose(start, pose), now)
        arrived = doing == ARRIVED
        if course.pauses(now):
            speed, yaw_rate = 0.0, 0.0
        asked = Command(START_NS + robot.time_ns, speed, yaw_rate)
        if replanner is not None:
            asked = replanned(replanner, asked, steering, now)
        try:
            pass_period(robot, steering, asked.speed, asked.yaw_rate)
        except TippedOver:
            break
        at = robot.ground_truth()
        pose = se2.compose(start, np.array([at.x, at.y, at.yaw]))
        times.append(1e-9 * (robot.time_ns - begin_ns))
        truth.append([*pose.tolist(), at.speed, at.yaw_rate])
        commands.append([asked.speed, asked.yaw_rate])
        if course.plan.nearest(pose[:2])[1] > _LOST:
            break
    if arrived:  # by what the source was told; the robot itself is still on its way
        robot.command(0.0, 0.0)
        robot.advance(robot.time_ns + _COMING_TO_REST_NS)
        rest = se2.compose(start, np.array(robot.ground_truth()[1:4]))
        arrived = bool(np.hypot(*(rest[:2] - course.plan.goal[:2])) < _AT_GOAL)
    return Drive(np.array(times), np.array(truth), np.array(commands), arrived)


def pass_period(robot: Robot, steering: Raw, speed: float, yaw_rate: float) -> None:
    """Give a command and let one period pass, of which the method hears everything."""
    asked = Command(START_NS + robot.time_ns, speed, yaw_rate)
    robot.command(asked.speed, asked.yaw_rate)
    steering.hear(asked)
    for reading in robot.advance(robot.time_ns + PERIOD_NS):
        heard = sample(reading)
        if heard is not None:
            steering.hear(heard._replace(stamp_ns=START_NS + heard.stamp_ns))


def quantum_of(config: RobotConfig) -> Triple:
    """Return the steps to which a robot's driver truncates, as its user knows them."""
    return config.command_quantum, 0.0, config.command_quantum


def mppi_law(seed: int) -> MppiLaw:
    """Return the planner of the bench: 10 Hz, 1.5 s ahead."""
    return MppiLaw(Mppi(MppiConfig(seed=seed), (0.22, 2.84), (-0.05, -2.84)), every=2)


def replanned(replanner: Replanner, asked: Command, steering: Raw, now: float) -> Command:
    """Return the command as the replanner passes it on."""
    replanner.set_odometry(steering.odometry)
    replanner.set_upstream(asked, now)
    prediction = steering.prediction if isinstance(steering, Learned) else None
    if prediction is not None and prediction.is_finite():
        step = prediction.at(max(prediction.takes_effect, 1e-9 * LEAST_HORIZON_NS))
        replanner.set_target(Target(step.stamp_ns, step.pose), now)
        replanner.set_effect(prediction.takes_effect)
    output = replanner.output(now)
    return asked._replace(speed=output.speed, yaw_rate=output.yaw_rate)


def robot_config(case: Case) -> RobotConfig:
    """Return the robot of a case; no two seeds have quite the same."""
    config = ROBOTS[case.robot]
    if case.robot == 'ideal':
        return config
    random = np.random.default_rng([case.seed, 1])
    if case.course == 'slip_patch':
        config = replace(config, slip_patch_share=0.4, slip_patch_radius=0.25,
                         slip_patch_friction=ICE)
    # Not the sizes of the wheels: where the odometry drifts to is a matter of localisation.
    return replace(
        config, motor_lag=config.motor_lag * random.uniform(0.85, 1.15),
        speed_gain=config.speed_gain * random.normal(1.0, 0.02),
        yaw_rate_gain=config.yaw_rate_gain * random.normal(1.0, 0.02),
        friction=random.uniform(0.8, 1.2))


def steering_of(method: str, config: RobotConfig, seed: int, artifact: Artifact) -> Raw:
    """Return a method by its name."""
    delay, lag = config.command_delay, config.motor_lag
    if method == 'constant_velocity':
        return ConstantVelocity(delay + 0.5 * lag)
    if method == 'command_replay':
        return Replay(artifact, delay, lag, delay + 0.5 * lag)
    if method in ('lstm', 'lstm_compensated'):
        return Learned(artifact, PredictorConfig())
    if method == 'oracle':
        return Oracle(config, seed)
    return Raw()


def score(run: Drive, plan: Plan) -> dict[str, float]:
    """Return the errors of a run against its plan; `failed` is 1 where it did not arrive."""
    late = run.times > _SETTLING
    truth = run.truth[late]
    if not run.arrived or not len(truth):
        return {'failed': 1}
    places = [plan.nearest(pose[:2]) for pose in truth]
    across = np.array([distance for _, distance in places])
    headings = plan.at([along for along, _ in places])[:, 2]
    error = se2.wrap(truth[:, 2] - headings)
    return {
        'cross_track_rmse_m': rms(across),
        'cross_track_max_m': float(across.max()),
        'heading_rmse_rad': rms(error),
        'time_s': float(run.times[-1]),
        'jerk': jerk(truth),
        'failed': 0}


def jerk(truth: Array) -> float:
    """Return the RMS jerk [m/s^3] of the faster wheel's side of the robot."""
    half = 0.08  # [m] from the middle to a wheel
    sides = truth[:, 3, None] + truth[:, 4, None] * half * np.array([-1.0, 1.0])
    change = np.diff(sides, n=2, axis=0) / (1e-9 * PERIOD_NS) ** 2
    return rms(change) if len(change) else math.nan


def rms(values: Array) -> float:
    """Return the root of the mean square, in the unit of the values."""
    return float(np.sqrt(np.mean(values ** 2)))


def beside_the_start(seed: int) -> Array:
    """Return where a robot stands at the start: not quite where it should (3,)."""
    return np.random.default_rng(seed).normal(0.0, [0.01, 0.02, 0.05])


def longest(course: Route) -> float:
    """Return the time after which a run has failed [s]."""
    share = 1.0 - (course.pause / course.pause_every if course.pause_every else 0.0)
    return _PATIENCE * (course.plan.length / (SPEED * share) + 4.0)
