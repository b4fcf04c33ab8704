"""A simulated TurtleBot3 Burger: velocity commands in, readings out."""

from dataclasses import replace
import math

from lstm_predictor.common.errors import LstmPredictorError
from lstm_predictor.simulation.actuation import Drive, WHEEL_SEPARATION
from lstm_predictor.simulation.plant import Plant, STEP_NS
from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import GroundTruth, IdealOdometry, Reading
from lstm_predictor.simulation.sensors import Imu, WHEEL_RADIUS, Wheels
from lstm_predictor.simulation.slip_patches import SlipPatches

import numpy as np

_TICK_NS = 4 * STEP_NS  # [ns] period of the motors' references and of the floor's friction


class TippedOver(LstmPredictorError, RuntimeError):
    """The robot fell; its readings from here on are invalid."""


class Robot:
    """
    One robot in its own simulated time.

    The same configuration, seed and commands give the same readings to the last bit, however
    the time between two commands is cut into calls of `advance`.

    >>> robot = Robot(RobotConfig(odom_rate=20.0, imu_rate=20.0))
    >>> robot.command(speed=0.2, yaw_rate=0.0)
    >>> [type(reading).__name__ for reading in robot.advance(until_ns=50_000_000)]
    ['ImuReading', 'Odometry', 'JointReading']
    """

    def __init__(self, config: RobotConfig = RobotConfig(), seed: int = 0,
                 ideal: bool = False) -> None:
        """
        Put the robot on its floor; `seed` decides the slippery patches and the noise.

        `ideal`: the readings include the odometry without noise.
        """
        self.config = config
        self._with_ideal = ideal
        self._seed = seed
        self._plant = Plant(config)
        self._drive = Drive(config)
        floor_seed, self._imu_seed, self._wheels_seed = np.random.SeedSequence(seed).spawn(3)
        self._patches = SlipPatches(
            config.slip_patch_share, config.slip_patch_radius, np.random.default_rng(floor_seed))
        self.reset()

    def reset(self) -> None:
        """Stand at the origin at time zero, as when it was made."""
        self.time_ns = 0
        self._plant.reset()
        self._drive.reset()
        self._imu = Imu(self.config, np.random.default_rng(self._imu_seed))
        self._wheels = Wheels(self.config, np.random.default_rng(self._wheels_seed))
        self._ideal = Wheels(
            replace(self.config, odometry_noise=0.0), np.random.default_rng(0))
        self._imu_count = 1  # of the next reading; there is none at time zero
        self._odometry_count = 1
        self._controlled_ns = 0
        self._tick_ns = 0

    def command(self, speed: float, yaw_rate: float) -> None:
        """
        Command a forward speed [m/s] and a yaw rate [rad/s] from now on.

        Beyond the robot's limits they are clamped, as by the firmware. Raise ValueError where a
        value is not finite.
        """
        for name, value in (('speed', speed), ('yaw_rate', yaw_rate)):
            if not math.isfinite(value):
                raise ValueError(f'{name} is {value}; it must be finite')
        self._drive.send(self.time_ns, speed, yaw_rate)

    def block(self, blocked: bool) -> None:
        """Hold the wheels from now on, as an obstacle or a brake does, or let them go."""
        self._plant.block(blocked)

    def advance(self, until_ns: int) -> list[Reading]:
        """
        Let time pass until `until_ns` and return the readings that became due, in stamp order.

        The n-th reading of a rate is stamped n / rate. Raise ValueError for a time in the past
        and TippedOver where the robot did not keep on its wheels.
        """
        if until_ns < self.time_ns:
            raise ValueError(f'until_ns is {until_ns}, before the present {self.time_ns}')
        readings: list[Reading] = []
        while True:
            imu_ns = round(self._imu_count * 1e9 / self.config.imu_rate)
            odometry_ns = round(self._odometry_count * 1e9 / self.config.odom_rate)
            stamp_ns = min(imu_ns, odometry_ns)
            if stamp_ns > until_ns:
                break
            elapsed = self._move(stamp_ns)
            if imu_ns == stamp_ns:
                readings.append(self._imu.read(self._plant, stamp_ns, elapsed))
                self._imu_count += 1
            if odometry_ns == stamp_ns:
                readings += self._wheels.read(
                    self._plant, stamp_ns, elapsed, self._imu.heading_error)
                self._odometry_count += 1
                if self._with_ideal:
                    odometry, _ = self._ideal.read(
                        self._plant, stamp_ns, elapsed, 1e-9 * stamp_ns * self.config.gyro_bias)
                    readings.append(IdealOdometry(*odometry[:4]))
        self._move(until_ns)
        self.time_ns = until_ns
        if not self._plant.upright():
            raise TippedOver(f'the robot tipped over before {until_ns * 1e-9:.3f} s')
        return readings

    def ground_truth(self) -> GroundTruth:
        """Return the true pose and twist of base_footprint now."""
        return self._plant.truth((self.time_ns - self._plant.time_ns) * 1e-9)

    def _move(self, time_ns: int) -> float:
        """
        Step the physics up to that time and return what is left to it, less than a step [s].

        Steps end at whole steps and where a command reaches the motors, never at a reading:
        reading a sensor must not change the motion.
        """
        plant = self._plant
        while (control_ns := min(self._tick_ns, self._drive.due_ns)) <= time_ns:
            plant.step_to(control_ns)
            self._control()
        plant.step_to(max(plant.time_ns, time_ns // STEP_NS * STEP_NS))
        return (time_ns - plant.time_ns) * 1e-9

    def _control(self) -> None:
        """Give the servos their references until the next tick and the wheels their friction."""
        now_ns = self._plant.time_ns
        before = self._drive.follow((now_ns - self._controlled_ns) * 1e-9)
        self._drive.take_due(now_ns)
        self._controlled_ns = now_ns
        self._tick_ns = (now_ns // _TICK_NS + 1) * _TICK_NS
        seconds = (self._tick_ns - now_ns) * 1e-9
        after = self._drive.ahead(seconds)
        wheels, later = _wheel_speeds(*before), _wheel_speeds(*after)
        self._plant.drive(
            wheels, ((later[0] - wheels[0]) / seconds, (later[1] - wheels[1]) / seconds))
        if self._patches:
            self._plant.set_friction(*(
                self.config.slip_patch_friction if self._patches.covers(x, y)
                else self.config.friction for x, y in self._plant.wheel_positions()))


def _wheel_speeds(speed: float, yaw_rate: float) -> tuple[float, float]:
    """Return the speeds [rad/s] of the left and the right wheel, by the nominal sizes."""
    aside = yaw_rate * WHEEL_SEPARATION / 2.0
    return (speed - aside) / WHEEL_RADIUS, (speed + aside) / WHEEL_RADIUS
