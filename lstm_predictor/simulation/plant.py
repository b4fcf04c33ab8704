"""The physics of one robot in MuJoCo, stepped to times in integer nanoseconds."""

import math
from pathlib import Path
from typing import NamedTuple

from lstm_predictor.simulation.robot_config import RobotConfig
from lstm_predictor.simulation.sensor_readings import GroundTruth

import mujoco

STEP_NS = 2_500_000  # [ns] longest step; times that are whole steps are met by whole steps
_STEP = STEP_NS * 1e-9  # [s]
_SETTLING = 0.5  # [s] in which the robot sinks into its contacts
_SIDES = ('left', 'right')
_BLOCKING = 20.0  # [N m] friction of a wheel that is held
# A wheel that is held gives way so little; MuJoCo's friction creeps at a tenth of the speed.
_HELD = (0.9999, 0.9999)  # the impedance (d0, d_width) of its friction [-]


class Inertial(NamedTuple):
    """The motion of the IMU, in the body frame."""

    orientation: list[float]  # quaternion w, x, y, z at the last step
    turn: float  # [rad] yaw that has come on top of the orientation since
    angular_velocity: list[float]  # [rad/s]
    specific_force: list[float]  # [m/s^2] over the last step, gravity in it


class Plant:
    """
    A robot on a floor whose wheels are driven by servos.

    The physics is at `time_ns`. Its state a little later, within the next step, is extrapolated
    at constant speed over `elapsed` [s].
    """

    def __init__(self, config: RobotConfig) -> None:
        """Build the robot and let it settle."""
        self._model = _build(config)
        self._data = data = mujoco.MjData(self._model)
        geoms = [self._model.geom(f'{side}_wheel').id for side in _SIDES]
        self._friction = [self._model.geom_friction[geom] for geom in geoms]
        self._nominal_friction = config.friction
        self._wheel_friction = self._model.dof_frictionloss[6:]
        self._wheel_impedance = self._model.dof_solimp[6:, :2]
        self._free = self._wheel_friction.copy(), self._wheel_impedance.copy()
        self._half_separation = float(self._model.body('left_wheel').pos[1])  # [m]
        self._qpos, self._qvel = data.qpos, data.qvel
        self._reference, self._slope = data.act, data.ctrl
        self._acceleration = data.sensordata

        mujoco.mj_step(self._model, data, nstep=round(_SETTLING / _STEP))
        self._rest = data.qpos.copy()
        self._rest[:2] = 0.0
        self._rest[7:] = 0.0
        self.reset()

    def reset(self) -> None:
        """Stand at the origin at time zero."""
        mujoco.mj_resetData(self._model, self._data)
        self._qpos[:] = self._rest
        mujoco.mj_forward(self._model, self._data)
        self.set_friction(self._nominal_friction, self._nominal_friction)
        self.block(False)
        self.time_ns = 0

    def step_to(self, time_ns: int) -> None:
        """Step to exactly that time: whole steps, and what is left before and after them."""
        if self.time_ns % STEP_NS:
            self._step_once(min(time_ns, -(-self.time_ns // STEP_NS) * STEP_NS))
        whole = (time_ns - self.time_ns) // STEP_NS
        if whole > 0:
            mujoco.mj_step(self._model, self._data, nstep=whole)
            self.time_ns += whole * STEP_NS
        self._step_once(time_ns)

    def _step_once(self, time_ns: int) -> None:
        """Make one step that is shorter than the others."""
        if time_ns <= self.time_ns:
            return
        self._model.opt.timestep = (time_ns - self.time_ns) * 1e-9
        mujoco.mj_step(self._model, self._data)
        self._model.opt.timestep = _STEP
        self.time_ns = time_ns

    def drive(self, wheel_speeds: tuple[float, float], slopes: tuple[float, float]) -> None:
        """Give the servos (left, right) their references [rad/s] and how these go on [rad/s^2]."""
        self._reference[:] = wheel_speeds
        self._slope[:] = slopes

    def set_friction(self, left: float, right: float) -> None:
        """Set the friction [-] of each wheel on the floor below it."""
        self._friction[0][0] = left
        self._friction[1][0] = right

    def block(self, blocked: bool) -> None:
        """Hold the wheels harder than the motors turn them, or let them go."""
        friction, impedance = self._free
        self._wheel_friction[:] = _BLOCKING if blocked else friction
        self._wheel_impedance[:] = _HELD if blocked else impedance

    def wheel_positions(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return where on the floor the left and the right wheel stand, x and y [m]."""
        x, y = self._qpos[:2].tolist()
        yaw = self._yaw()
        ahead, aside = (-self._half_separation * math.sin(yaw),
                        self._half_separation * math.cos(yaw))
        return (x + ahead, y + aside), (x - ahead, y - aside)

    def wheels(self, elapsed: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the angles [rad] and the speeds [rad/s] of the wheels, left and right."""
        left, right = self._qpos[7:].tolist()
        left_speed, right_speed = self._qvel[6:].tolist()
        return ((left + left_speed * elapsed, right + right_speed * elapsed),
                (left_speed, right_speed))

    def yaw(self, elapsed: float) -> float:
        """Return the heading [rad], in (-pi, pi] but for what the elapsed time adds."""
        return self._yaw() + float(self._qvel[5]) * elapsed

    def inertial(self, elapsed: float) -> Inertial:
        """Return the reading of an ideal IMU."""
        rates = self._qvel[3:6].tolist()
        return Inertial(
            self._qpos[3:7].tolist(), rates[2] * elapsed, rates, self._acceleration.tolist())

    def upright(self) -> bool:
        """Return whether the robot leans by less than 45 degrees; never of a state with NaN."""
        x, y = float(self._qpos[4]), float(self._qpos[5])
        return 1.0 - 2.0 * (x * x + y * y) > math.sqrt(0.5)

    def truth(self, elapsed: float) -> GroundTruth:
        """Return pose and twist of base_footprint."""
        x, y = self._qpos[:2].tolist()
        vx, vy, _, _, _, yaw_rate = self._qvel[:6].tolist()
        yaw = self._yaw() + yaw_rate * elapsed
        cos, sin = math.cos(yaw), math.sin(yaw)
        return GroundTruth(
            self.time_ns + round(elapsed * 1e9), x + vx * elapsed, y + vy * elapsed,
            math.remainder(yaw, math.tau), cos * vx + sin * vy, cos * vy - sin * vx, yaw_rate)

    def _yaw(self) -> float:
        w, x, y, z = self._qpos[3:7].tolist()
        return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def _build(config: RobotConfig) -> mujoco.MjModel:
    """Return the Burger with the sizes, the torque and the payload of one robot."""
    spec = mujoco.MjSpec.from_file(str(Path(__file__).with_name('turtlebot3_burger.xml')))
    for side, error in zip(_SIDES, (config.left_radius_error, config.right_radius_error)):
        spec.geom(f'{side}_wheel').size[0] *= 1.0 + error
        spec.body(f'{side}_wheel').pos[1] *= 1.0 + config.separation_error
        spec.actuator(f'{side}_wheel').forcerange = [-config.motor_torque, config.motor_torque]
    if config.payload > 0.0:
        spec.body('robot').add_geom(
            name='payload', type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.03, 0.03, 0.02],
            pos=[config.payload_x, config.payload_y, config.payload_height],
            mass=config.payload, contype=0, conaffinity=0)
    model = spec.compile()
    model.opt.timestep = _STEP
    # MuJoCo would answer a state that diverged by jumping back to the start without a word.
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return model
