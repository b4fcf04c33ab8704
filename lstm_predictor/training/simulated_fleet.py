"""The simulated robots of the training: drawn at random, each driven by a random driver."""

from collections.abc import Iterator
from dataclasses import dataclass

from lstm_predictor.common.readings import Command, Imu, Odometry
from lstm_predictor.simulation.command_sources import Driver, DRIVERS
from lstm_predictor.simulation.robot import Robot, TippedOver
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import IdealOdometry, Reading, sample
from lstm_predictor.training.disturbances import (
    ActuationNoise, ManualRotation, RotatedOdometry, Stalls)
from lstm_predictor.training.parallel import each
from lstm_predictor.training.track import Track

import numpy as np

_START_NS = 1_000_000_000  # stamp at the start; zero would count as not set

Range = tuple[float, float]


@dataclass(frozen=True)
class FleetConfig:
    """The number of robots, the time each drives, and the ranges they are drawn from."""

    robots: int = 400
    seconds: float = 30.0  # of driving per robot [s]
    seed: int = 0
    # The robot of the physics weighs 1 kg; every length of its readings is multiplied by this.
    size: Range = (0.7, 1.5)  # [-]
    max_speed: Range = (0.15, 0.3)  # before `size` [m/s]
    max_yaw_rate: Range = (0.8, 2.84)  # [rad/s]
    command_delay: Range = (0.0, 0.5)  # [s]
    motor_lag: Range = (0.03, 0.5)  # [s]
    speed_gain: Range = (0.6, 1.5)  # [-]
    yaw_rate_gain: Range = (0.4, 1.5)  # [-]
    max_payload: float = 2.0  # [kg]
    disturbed_share: float = 0.5  # fraction of the robots with noisy actuation [-]
    ideal_share: float = 0.05  # fraction without delay, lag, slip or error of any kind [-]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if self.robots < 1:
            raise ValueError(f'robots must be at least 1, is {self.robots}')
        if not self.seconds > 5.0:
            raise ValueError(f'seconds must be more than 5, is {self.seconds}')
        for name in ('size', 'max_speed', 'max_yaw_rate', 'command_delay', 'motor_lag',
                     'speed_gain', 'yaw_rate_gain'):
            low, high = getattr(self, name)
            if not 0.0 <= low <= high or (low == 0.0 and name != 'command_delay'):
                raise ValueError(f'{name} must be [low, high] of positive numbers, is '
                                 f'{[low, high]}')


Job = tuple[FleetConfig, np.random.SeedSequence, str]


def jobs(config: FleetConfig) -> list[Job]:
    """Return configuration, seed and name of each robot of a fleet."""
    seeds = np.random.SeedSequence(config.seed).spawn(config.robots)
    return [(config, seed, f'robot {i}') for i, seed in enumerate(seeds)]


def tracks(config: FleetConfig, processes: int) -> Iterator[Track]:
    """Return the tracks of a fleet; the same for any number of processes."""
    return each(drive_job, jobs(config), processes, chunk=4, desc='simulated robots',
                unit='robot')


def drive_job(job: Job) -> Track:
    """Return the track of one robot; one that tips over is replaced by another."""
    config, seed, name = job
    while True:
        try:
            return drive(config, seed, name)
        except TippedOver:
            seed = seed.spawn(1)[0]


def drive(config: FleetConfig, seed: np.random.SeedSequence, name: str) -> Track:
    """Return the track of one random robot under one random driver."""
    rng = np.random.default_rng(seed)
    ideal = rng.random() < config.ideal_share
    robot_config = ideal_robot(config, rng) if ideal else random_robot(config, rng)
    robot = Robot(robot_config, int(rng.integers(2**31)), ideal=True)
    driver = random_driver(robot_config, rng)
    noise = ActuationNoise(rng, 0.0 if ideal or rng.random() > config.disturbed_share else 1.0)
    stalls = Stalls(rng, 0.0 if ideal or rng.random() < 0.85 else 8.0)
    rotation = ManualRotation(rng, 0.0 if ideal or rng.random() < 0.85 else 8.0)
    period = 1.0 / rng.uniform(5.0, 30.0)  # [s] between commands
    on_change = rng.random() < 0.25  # commands are sent only when they change
    quantum = _choice(rng, 0.0, 0.0, 0.01, 0.05) * np.array(
        [robot_config.max_speed, robot_config.max_yaw_rate])
    received_share = 1.0 if rng.random() < 0.7 else rng.uniform(0.8, 1.0)
    receiver = _Receiver(_log_uniform(rng, config.size), rotation, rng, received_share)
    newest: Odometry | None = None
    sent: tuple[float, float] | None = None
    while robot.time_ns < 1e9 * config.seconds:
        time = 1e-9 * robot.time_ns
        request = _quantised(driver.command(time, newest), quantum)
        until_ns = robot.time_ns + round(1e9 * period * rng.uniform(0.8, 1.2))
        robot.block(stalls.at(time))
        robot.command(*noise.on(request, time, robot_config))
        if not on_change or request != sent:
            receiver.take(Command(robot.time_ns, *request))
            sent = request
        for reading in robot.advance(until_ns):
            receiver.take(reading)
            newest = receiver.newest
    margin = 1.0 if rng.random() < 0.7 else rng.uniform(1.0, 2.0)
    return Track(
        name=name, readings=receiver.readings, expected=receiver.expected,
        max_speed=margin * receiver.size * robot_config.max_speed,
        max_yaw_rate=margin * robot_config.max_yaw_rate,
        delay=robot_config.command_delay, lag=robot_config.motor_lag)


class _Receiver:
    """Collects the readings that arrive, with every length scaled to the size of the robot."""

    def __init__(self, size: float, rotation: ManualRotation, rng: np.random.Generator,
                 received: float) -> None:
        self.size = size
        self.readings: list[Odometry | Imu | Command] = []
        self.expected: list[tuple[float, ...]] = []
        self.newest: Odometry | None = None  # before it is scaled
        self._rotation = rotation
        self._rotated, self._ideal_rotated = RotatedOdometry(), RotatedOdometry()
        self._rng = rng
        self._received = received  # fraction of the readings

    def take(self, reading: Command | Reading) -> None:
        """Collect a reading, or drop it as a lost message."""
        self._rotation.at(1e-9 * reading.stamp_ns)
        stamp_ns = _START_NS + reading.stamp_ns
        if isinstance(reading, IdealOdometry):
            pose = self._ideal_rotated.pose(np.array(reading[1:4]), self._rotation.turned)
            self.expected.append((stamp_ns, *(pose * [self.size, self.size, 1.0]).tolist()))
            return
        taken = reading if isinstance(reading, Command) else sample(reading)
        if isinstance(taken, Odometry):
            taken = self.newest = self._rotated.odometry(taken, self._rotation)
        if taken is None or self._rng.random() >= self._received:
            return
        self.readings.append(self._scaled(taken)._replace(stamp_ns=stamp_ns))

    def _scaled(self, taken: Odometry | Imu | Command) -> Odometry | Imu | Command:
        if isinstance(taken, Odometry):
            return taken._replace(
                x=self.size * taken.x, y=self.size * taken.y, speed=self.size * taken.speed)
        if isinstance(taken, Imu):
            return taken._replace(acceleration=self.size * taken.acceleration,
                                  yaw_rate=taken.yaw_rate + self._rotation.yaw_rate)
        return taken._replace(speed=self.size * taken.speed)


def random_robot(config: FleetConfig, rng: np.random.Generator) -> RobotConfig:
    """Return a robot with all parameters drawn from the ranges of the fleet."""
    good_floor = rng.random() < 0.5
    return RobotConfig(
        command_delay=rng.uniform(*config.command_delay),
        motor_lag=_log_uniform(rng, config.motor_lag),
        speed_gain=_log_uniform(rng, config.speed_gain),
        yaw_rate_gain=_log_uniform(rng, config.yaw_rate_gain),
        dead_band=_choice(rng, 0.0, 0.01, 0.02),
        command_resolution=_choice(rng, 0.0, 0.01),
        max_speed=rng.uniform(*config.max_speed),
        max_yaw_rate=rng.uniform(*config.max_yaw_rate),
        max_acceleration=_log_uniform(rng, (0.15, 3.0)),
        max_yaw_acceleration=_log_uniform(rng, (1.5, 25.0)),
        deceleration_ratio=_choice(rng, 1.0, rng.uniform(0.7, 3.0)),
        payload=_choice(rng, 0.0, rng.uniform(0.0, config.max_payload)),
        friction=rng.uniform(0.4, 1.2),
        slip_patch_share=0.0 if good_floor else rng.uniform(0.05, 0.4),
        slip_patch_friction=rng.uniform(0.03, 0.2),
        left_radius_error=rng.normal(0.0, 0.01),
        right_radius_error=rng.normal(0.0, 0.01),
        odometry_source=str(rng.choice(['imu', 'wheels'])),
        encoder_period=_choice(rng, 0.0, 0.02, rng.uniform(0.005, 0.03)),
        odometry_noise=rng.uniform(0.0, 0.003),
        gyro_noise=_choice(rng, rng.uniform(0.0, 0.01), rng.uniform(0.0, 0.05)),
        gyro_bias=rng.normal(0.0, 0.002),
        acceleration_noise=rng.uniform(0.0, 0.1),
        odom_rate=_choice(rng, 20.0, 20.0, 25.0, 30.0, 50.0),
        imu_rate=_choice(rng, 20.0, 50.0, 100.0))


def ideal_robot(config: FleetConfig, rng: np.random.Generator) -> RobotConfig:
    """Return a robot that executes commands at once, with exact sensors."""
    return RobotConfig(
        command_delay=0.0, motor_lag=0.0, command_resolution=0.0, max_acceleration=30.0,
        max_yaw_acceleration=300.0, motor_torque=1.0, friction=1.2,
        max_speed=rng.uniform(*config.max_speed), max_yaw_rate=rng.uniform(*config.max_yaw_rate),
        gyro_noise=0.0, acceleration_noise=0.0, odom_rate=20.0, imu_rate=100.0)


def random_driver(robot: RobotConfig, rng: np.random.Generator) -> Driver:
    """Return one of the drivers; some request more than the robot can do."""
    kind = DRIVERS[int(rng.integers(len(DRIVERS)))]
    speed = robot.max_speed * rng.uniform(0.4, 1.2)
    return kind(rng, speed, robot.max_yaw_rate * float(np.exp(rng.uniform(np.log(0.15), 0.1))))


def _log_uniform(rng: np.random.Generator, limits: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _choice(rng: np.random.Generator, *values: float) -> float:
    return float(values[int(rng.integers(len(values)))])


def _quantised(command: tuple[float, float], quantum: np.ndarray) -> tuple[float, float]:
    speed, yaw_rate = (float(q * round(value / q)) if q > 0.0 else value
                       for value, q in zip(command, quantum))
    return speed, yaw_rate
