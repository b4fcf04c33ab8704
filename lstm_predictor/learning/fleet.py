"""Simulated robots that all differ, each driven for a while: where the model learns from."""

from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context

from lstm_predictor.core.samples import Command, Imu, Odometry
from lstm_predictor.sim.drivers import Driver, DRIVERS
from lstm_predictor.sim.readings import sample
from lstm_predictor.sim.robot import Robot, TippedOver
from lstm_predictor.sim.robot_config import RobotConfig

import numpy as np

from tqdm import tqdm

_START_NS = 1_000_000_000  # stamp at which a robot starts: zero would mean that nobody set it


@dataclass(frozen=True)
class FleetConfig:
    """How many robots, how long each drives, and from what ranges they are drawn."""

    robots: int = 400
    seconds: float = 40.0  # of driving per robot [s]
    seed: int = 0
    max_command_delay: float = 0.5  # [s]
    motor_lag: tuple[float, float] = (0.03, 0.5)  # [s]
    speed_gain: tuple[float, float] = (0.6, 1.4)  # [-]
    yaw_rate_gain: tuple[float, float] = (0.5, 1.4)  # [-]
    max_payload: float = 2.0  # [kg]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if self.robots < 1:
            raise ValueError(f'robots must be at least 1, is {self.robots}')
        if not self.seconds > 5.0:
            raise ValueError(f'seconds must be more than 5, is {self.seconds}')


@dataclass(frozen=True)
class Track:
    """What one robot's computer heard, in order of time."""

    name: str
    readings: list[Odometry | Imu | Command]


def tracks(config: FleetConfig, processes: int) -> Iterator[Track]:
    """Yield the tracks of a fleet; the same for any number of processes."""
    seeds = np.random.SeedSequence(config.seed).spawn(config.robots)
    jobs = [(config, seed, f'robot {i}') for i, seed in enumerate(seeds)]
    # Not fork: the parent may have threads of torch.
    with get_context('spawn').Pool(processes) as pool:
        yield from tqdm(pool.imap(_drive_job, jobs, chunksize=4), total=len(jobs),
                        desc='simulated robots', unit='robot')


def drive(config: FleetConfig, seed: np.random.SeedSequence, name: str) -> Track:
    """Return the track of one random robot under one random driver."""
    rng = np.random.default_rng(seed)
    robot = Robot(random_robot(config, rng), int(rng.integers(2**31)))
    driver = random_driver(rng)
    period = 1.0 / rng.uniform(5.0, 30.0)  # [s] between commands
    heard_share = 1.0 if rng.random() < 0.7 else rng.uniform(0.8, 1.0)
    readings: list[Odometry | Imu | Command] = []
    newest: Odometry | None = None
    while robot.time_ns < 1e9 * config.seconds:
        speed, yaw_rate = driver.command(1e-9 * robot.time_ns, newest)
        robot.command(speed, yaw_rate)
        readings.append(Command(_START_NS + robot.time_ns, speed, yaw_rate))
        until_ns = robot.time_ns + round(1e9 * period * rng.uniform(0.8, 1.2))
        for reading in robot.advance(until_ns):
            taken = sample(reading)
            if isinstance(taken, Odometry):
                newest = taken
            if taken is not None and rng.random() < heard_share:
                readings.append(taken._replace(stamp_ns=_START_NS + taken.stamp_ns))
    return Track(name, readings)


def random_robot(config: FleetConfig, rng: np.random.Generator) -> RobotConfig:
    """Return a robot with everything drawn from the ranges of the fleet."""
    good_floor = rng.random() < 0.5
    return RobotConfig(
        command_delay=rng.uniform(0.0, config.max_command_delay),
        motor_lag=float(np.exp(rng.uniform(*np.log(config.motor_lag)))),
        speed_gain=rng.uniform(*config.speed_gain),
        yaw_rate_gain=rng.uniform(*config.yaw_rate_gain),
        dead_band=rng.choice([0.0, 0.01, 0.02]),
        command_quantum=rng.choice([0.0, 0.01]),
        max_acceleration=rng.uniform(0.3, 3.0),
        max_yaw_acceleration=rng.uniform(2.0, 25.0),
        payload=rng.choice([0.0, rng.uniform(0.0, config.max_payload)]),
        friction=rng.uniform(0.4, 1.2),
        slip_patch_share=0.0 if good_floor else rng.uniform(0.05, 0.4),
        slip_patch_friction=rng.uniform(0.03, 0.2),
        left_radius_error=rng.normal(0.0, 0.01),
        right_radius_error=rng.normal(0.0, 0.01),
        odometry_source=str(rng.choice(['imu', 'wheels'])),
        odometry_noise=rng.uniform(0.0, 0.003),
        gyro_noise=rng.uniform(0.0, 0.01),
        gyro_bias=rng.normal(0.0, 0.002),
        acceleration_noise=rng.uniform(0.0, 0.1),
        odom_rate=float(rng.choice([20.0, 25.0, 30.0, 50.0])),
        imu_rate=float(rng.choice([20.0, 50.0, 100.0])))


def random_driver(rng: np.random.Generator) -> Driver:
    """Return one of the drivers, with limits of its own."""
    kind = DRIVERS[int(rng.integers(len(DRIVERS)))]
    return kind(rng, rng.uniform(0.08, 0.24), float(np.exp(rng.uniform(*np.log((0.3, 2.5))))))


def _drive_job(job: tuple[FleetConfig, np.random.SeedSequence, str]) -> Track:
    """Drive a robot, and in place of one that falls over another."""
    config, seed, name = job
    while True:
        try:
            return drive(config, seed, name)
        except TippedOver:
            seed = seed.spawn(1)[0]
