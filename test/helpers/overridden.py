"""A simulated TurtleBot3 whose commands somebody overrides, in simulated time."""

from copy import deepcopy
from typing import NamedTuple

from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.control.compensator import Compensator, ReplannerConfig
from lstm_predictor.control.mppi import Mppi, MppiConfig, MppiLaw
from lstm_predictor.control.override_detection import Override
from lstm_predictor.control.path_follower import PathFollower
from lstm_predictor.control.plan import Plan
from lstm_predictor.control.regulated_pure_pursuit import Pursuit, PursuitConfig
from lstm_predictor.control.speed_scaling import SpeedScaling, SpeedScalingConfig
from lstm_predictor.evaluation.closed_loop.case import PERIOD_NS
from lstm_predictor.evaluation.closed_loop.pose_sources import OnlinePredictor, START_NS
from lstm_predictor.evaluation.closed_loop.runner import replanned
from lstm_predictor.prediction.observer import Observer
from lstm_predictor.prediction.predictor import PredictorConfig
from lstm_predictor.prediction.rollout import ProtectedRollout
from lstm_predictor.simulation.command_sources import Smooth
from lstm_predictor.simulation.robot import Robot
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import sample
import numpy as np

BURGER = RobotConfig(odom_rate=20.0, imu_rate=100.0)
QUANTUM = (0.01, 0.0, 0.01)
VARIED = 14.0  # of driving about before [s]
SETTLED = 2.0  # of what is asked for later, before the override [s]
AFTER = 4.0  # [s]


# What the robot gets in place of a command [m/s], [rad/s], a time [s] after the override began.

def scaled(share):
    return lambda t, speed, yaw_rate: (share * speed, share * yaw_rate)


def joystick(*command):
    return lambda t, speed, yaw_rate: command


def ramp(t, speed, yaw_rate):
    return scaled(max(0.0, 1.0 - t / 2.0))(t, speed, yaw_rate)


def flicker(t, speed, yaw_rate):
    return (0.0, 0.0) if t % 0.5 < 0.25 else (speed, yaw_rate)


STOP = scaled(0.0)


class Driven(NamedTuple):
    """A row per period."""

    times: np.ndarray  # since the release [s] (n,)
    moved: np.ndarray  # speed and yaw rate of the robot [m/s], [rad/s] (n, 2)
    asked: np.ndarray  # (2,)
    factors: list  # that were learned: before the override, and at its end
    overrides: list  # as the replanner saw them, while it was on
    predictions: list  # (seconds since the release, prediction)
    predictor: object

    def off(self, since=0.5):
        """Return by how much it moves otherwise than asked, in means of 0.5 s."""
        late = self.moved[self.times >= since]
        means = np.array([late[i:i + 10].mean(axis=0) for i in range(len(late) - 10)])
        return means - self.asked


def compensated(override, asked=(0.12, 0.0), seconds=5.0, config=BURGER, hears='sent', seed=0,
                varied=VARIED):
    """
    Return how the robot moves after somebody overrode its commands behind `compensate`.

    The predictor `hears` what was sent or what the robot got.
    """
    robot, steering = Robot(config, seed), OnlinePredictor(model(), PredictorConfig())
    replanner = Compensator(ReplannerConfig(command_resolution=QUANTUM))
    driver = Smooth(np.random.default_rng([seed, 3]), 0.2, 1.0)
    begin = varied + SETTLED
    end = begin + seconds
    rows, factors, overrides, predictions = [], [], [], []
    beginning = 'compensated', config, hears, seed, varied
    got_before = []
    if beginning in _BEGINNINGS:
        steering, replanner, got_before = _copied(_BEGINNINGS[beginning])
        _drive_again(robot, got_before)
    while robot.time_ns < 1e9 * (end + AFTER):
        now = 1e-9 * robot.time_ns
        if now >= varied and beginning not in _BEGINNINGS:
            _BEGINNINGS[beginning] = _copied((steering, replanner, got_before))
        command = driver.command(now, None) if now < varied else asked
        given = replanned(
            replanner, Command(START_NS + robot.time_ns, *command), steering, now)
        got = given[1:]
        if begin <= now < end:
            got = override(now - begin, *got)
            factors += [replanner.gains.factors]
            overrides += [replanner.gains.override]
        robot.command(*got)
        got_before.append(got)
        steering.add(given._replace(speed=got[0], yaw_rate=got[1]) if hears == 'got' else given)
        _pass(robot, steering.add)
        if now >= end:
            at = robot.ground_truth()
            rows.append((now - end, at.speed, at.yaw_rate))
            predictions.append((now - end, steering.prediction))
    rows = np.array(rows)
    return Driven(rows[:, 0], rows[:, 1:], np.array(asked), [factors[0], factors[-1]], overrides,
                  predictions, steering.predictor)


def planned(override, speed=0.12, seconds=5.0, config=BURGER, by_mppi=True):
    """Return how the robot moves after somebody overrode it on a straight plan."""
    robot = Robot(config, 0)
    observer = Observer(model(), model().contract.window_config(0.22, 2.84), True, 1.0)
    watched = ProtectedRollout(observer, 0.22, 2.84, 1.5)
    law = MppiLaw(Mppi(MppiConfig(), (0.22, 2.84), (-0.22, -2.84))) if by_mppi else None
    pursuit = Pursuit(PursuitConfig(desired_linear_vel=speed), law)
    follower = PathFollower(
        ReplannerConfig(command_resolution=QUANTUM), pursuit, SpeedScaling(SpeedScalingConfig()),
        uses_prediction=False)
    x = np.linspace(0.0, 8.0, 200)
    follower.follow(Plan(np.column_stack([x, 0.0 * x, 0.0 * x])))
    begin, end, rows = 12.0, 12.0 + seconds, []
    odometry = [Odometry(START_NS, 0.0, 0.0, 0.0, 0.0, 0.0)]

    beginning = 'planned', config, speed, by_mppi
    got_before = []
    if beginning in _BEGINNINGS:
        observer, watched, law, pursuit, follower, odometry, rows, got_before = _copied(
            _BEGINNINGS[beginning])
        _drive_again(robot, got_before)

    def hear(reading):
        observer.add(reading)
        if isinstance(reading, Odometry):
            odometry[:] = [reading]
            watched.protection.odometry(reading)
            anchor_ns = observer.due()
            if anchor_ns is not None:
                observer.update(anchor_ns)

    while robot.time_ns < 1e9 * (end + AFTER):
        now, stamp_ns = 1e-9 * robot.time_ns, START_NS + robot.time_ns
        if now >= begin and beginning not in _BEGINNINGS:
            _BEGINNINGS[beginning] = _copied(
                (observer, watched, law, pursuit, follower, odometry, rows, got_before))
        follower.set_odometry(odometry[0], now)
        if law is not None:
            law.instead = pursuit.pursue
            law.plans_now = watched.protection.gains.override is Override.NONE
            law.rollout = watched.rollout(0.05, observer.age(stamp_ns))
        output = follower.output(now)
        given = output.speed, output.yaw_rate
        got_before.append(override(now - begin, *given) if begin <= now < end else given)
        robot.command(*got_before[-1])
        observer.add(Command(stamp_ns, *given))
        watched.protection.command(Command(stamp_ns, *given))
        _pass(robot, hear)
        at = robot.ground_truth()
        rows.append((now - end, at.speed, at.yaw_rate))
    rows = np.array(rows)
    return Driven(rows[:, 0], rows[:, 1:], np.array([speed, 0.0]), [], [], [], None)


def model():
    """Return the shipped model, loaded once."""
    if not _MODELS:
        from pathlib import Path

        from lstm_predictor.model import model_file
        from lstm_predictor.paths import default_model
        _MODELS.append(model_file.load(Path(default_model())))
    return _MODELS[0]


_MODELS = []
_BEGINNINGS = {}  # what is the same in several drives, up to where they begin to differ


def _copied(parts):
    """Return copies of what commands the robot; they share the model."""
    return deepcopy(parts, {id(model()): model()})


def _drive_again(robot, commands):
    """Bring a new robot to where another was after these commands, one for each period."""
    for command in commands:
        robot.command(*command)
        robot.advance(robot.time_ns + PERIOD_NS)


def _pass(robot, hear):
    for reading in robot.advance(robot.time_ns + PERIOD_NS):
        heard = sample(reading)
        if heard is not None:
            hear(heard._replace(stamp_ns=START_NS + heard.stamp_ns))
