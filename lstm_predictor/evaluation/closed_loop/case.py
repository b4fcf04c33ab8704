"""The cases of the closed-loop bench: which robot follows which course, commanded how."""

from dataclasses import dataclass, replace

from lstm_predictor.control.regulated_pure_pursuit import PursuitConfig
from lstm_predictor.control.velocity_limiter import Triple
from lstm_predictor.evaluation.closed_loop.courses import Course
from lstm_predictor.simulation.robot_config import RobotConfig

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PERIOD_NS = 50_000_000  # of the commands [ns]
SPEED = 0.2  # that is requested [m/s]
MPPI = 'mppi'  # the source that has no lookahead
JOYSTICK = 'joystick'  # the source that does not see the robot, and its only course
SOURCES = ('pursuit', 'regulated_pursuit', MPPI, JOYSTICK)
METHODS = ('raw', 'constant_velocity', 'command_replay', 'lstm', 'lstm_compensated', 'oracle')
# The topics of the real nodes by method: the pose to steer by, and the commands.
CHAINS = {'raw': ('odom', 'cmd_vel'), 'lstm': ('predicted_odom', 'cmd_vel'),
          'lstm_compensated': ('predicted_odom', 'cmd_vel_in')}
_PATIENCE = 2.5  # times the time that a perfect robot needs

WEAK = 'weak'  # the robot that only the joystick drives
ICE = 0.03  # friction on a patch: more hardly ever slips at these speeds [-]
_REAL = RobotConfig(
    motor_lag=0.15, odom_rate=20.0, imu_rate=100.0, odometry_noise=0.001, gyro_noise=0.005,
    acceleration_noise=0.05)
ROBOTS = {
    'ideal': RobotConfig(
        motor_lag=0.0, command_resolution=0.0, max_acceleration=30.0, max_yaw_acceleration=300.0,
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
JOYSTICK_ROBOTS = {
    **ROBOTS, WEAK: replace(ROBOTS['gain'], slip_patch_share=0.2, slip_patch_friction=ICE)}


@dataclass(frozen=True)
class Case:
    """What identifies one run of the bench."""

    course: str
    robot: str
    source: str
    method: str
    lookahead: float  # [s]
    seed: int


def robot_config(case: Case) -> RobotConfig:
    """Return the robot of a case, varied a little by the seed."""
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


def quantum_of(config: RobotConfig) -> Triple:
    """Return the steps to which a robot's driver truncates, as its user would set them."""
    return config.command_resolution, 0.0, config.command_resolution


def pursuit_config(source: str, lookahead: float) -> PursuitConfig:
    """Return the parameters of a path follower by its name, `lookahead` in [s]."""
    config = PursuitConfig(
        desired_linear_vel=SPEED, lookahead_time=lookahead, min_lookahead_dist=0.05,
        rotate_to_heading_angular_vel=1.5)
    if source != 'pursuit':
        return config
    # Plain pursuit: no slowing down, no turn on the spot.
    return replace(config, regulated_linear_scaling_min_radius=1e-3,
                   approach_velocity_scaling_dist=1e-3, use_rotate_to_heading=False)


def start_pose(seed: int) -> Array:
    """Return where a robot starts: a little beside the start of the course (3,)."""
    return np.random.default_rng(seed).normal(0.0, [0.01, 0.02, 0.05])


def time_limit(course: Course) -> float:
    """Return the time after which a run has failed [s]."""
    share = 1.0 - (course.pause / course.pause_every if course.pause_every else 0.0)
    return _PATIENCE * (course.plan.length / (SPEED * share) + 4.0)
