"""State of one robot for the model: its window of readings and the response bank's memory."""

from dataclasses import replace

from lstm_predictor.common.discontinuity import ABSURD, break_between
from lstm_predictor.common.readings import Command, Imu, InvalidMessage, Odometry
from lstm_predictor.model.grid_pacing import GridPacing
from lstm_predictor.model.model_file import LoadedModel
from lstm_predictor.model.model_state import ModelState, rows_between, StepOutput
from lstm_predictor.model.window import Window, WindowConfig
from lstm_predictor.sensor_checks.sensor_correction import SensorCorrection

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Observer:
    """Collects checked readings and decides when a prediction is due."""

    def __init__(self, model: LoadedModel, window: WindowConfig, use_imu: bool,
                 max_backward_time_jump: float) -> None:
        """Start empty; odometry more than `max_backward_time_jump` [s] back is a new run."""
        self.model = model
        self.window = Window(window)
        self.use_imu = use_imu
        self.max_backward_time_jump = max_backward_time_jump
        self.sensors = SensorCorrection(2 * window.span_ns)
        self.reset()

    def reset(self) -> None:
        """Forget every reading and the state of the model, but not what the sensors are like."""
        self.window.reset()
        self.sensors.begin_anew()
        self.model_state = self.model.initial_state()
        self.output: StepOutput | None = None  # of the model at the newest window
        self.rows: Array | None = None  # the newest window that was used (1, W, F)
        self._learned_ns: int | None = None
        self._pacing = GridPacing(self.window.config.step_ns)

    def state(self) -> ModelState:
        """Return the state of the model."""
        return self.model_state

    def restore(self, state: ModelState) -> None:
        """Set the state of the model."""
        self.model_state = state

    def limit(self, max_speed: float, max_yaw_rate: float) -> None:
        """Set the velocities to which the robot clips commands [m/s], [rad/s]."""
        self.window.config = replace(
            self.window.config, max_speed=max_speed, max_yaw_rate=max_yaw_rate)

    def sensed(self, reading: Odometry | Imu | Command) -> Odometry | Imu | Command | None:
        """
        Return the corrected reading, None where it is not to be used.

        A new finding about the sensors is applied to the readings in the window as well.
        Raise InvalidMessage for odometry whose pose is frozen.
        """
        if isinstance(reading, Imu) and not self.use_imu:
            return reading
        wrong = self.sensors.known.wrong
        used = self.sensors.use(reading)
        if self.sensors.changed:
            self._replace_readings()
            if self.sensors.known.wrong != wrong:  # learned of uncorrected velocities
                self.model_state, self._learned_ns = self.model.initial_state(), None
        return used

    def _replace_readings(self) -> None:
        """Replace the readings in the window by their corrected values."""
        self.window.odometry.clear()
        self.window.imu.clear()
        for reading in self.sensors.again():
            try:
                self.add(reading)
            except InvalidMessage:
                continue

    def add(self, reading: Odometry | Imu | Command) -> bool:
        """
        Add a reading to the window; False where it repeats one or is too old.

        Time is that of the odometry: before its first message nothing else is added. Raise
        InvalidMessage for a stamp far ahead of it, and for implausible velocities of odometry.
        """
        if isinstance(reading, Odometry):
            self.check(reading)
        else:
            if not len(self.window.odometry) or isinstance(reading, Imu) and not self.use_imu:
                return False
            if self.ahead(reading.stamp_ns) > self.max_backward_time_jump:
                raise InvalidMessage(
                    f'its stamp is {self.ahead(reading.stamp_ns):.1f} s ahead of odom')
        return self.insert(reading)

    def insert(self, reading: Odometry | Imu | Command) -> bool:
        """Take a reading that was checked; False where it repeats one or has no place."""
        return self.window.add(reading)

    def check(self, odometry: Odometry) -> None:
        """Raise InvalidMessage for an implausible velocity."""
        config = self.window.config
        for name, value, largest, unit in (
                ('speed', odometry.speed, config.max_speed, 'm/s'),
                ('yaw_rate', odometry.yaw_rate, config.max_yaw_rate, 'rad/s')):
            if abs(value) > ABSURD * largest:
                raise InvalidMessage(f'{name} is {value:.4g} {unit}, the largest of the robot is '
                                     f'{largest:g} {unit}')

    def discontinuity(self, odometry: Odometry) -> str:
        """Return why odometry does not continue the message before; empty where it does."""
        stream = self.window.odometry
        if not len(stream):
            return ''
        newest = Odometry(int(stream.times[-1]), *stream.values[-1].tolist())
        return str(break_between(
            newest, odometry, self.window.config.max_speed, self.max_backward_time_jump))

    def ahead(self, stamp_ns: int) -> float:
        """Return how far [s] a stamp is ahead of the newest odometry, 0 before the first."""
        times = self.window.odometry.times
        return 1e-9 * float(stamp_ns - times[-1]) if len(times) else 0.0

    @property
    def window_end_ns(self) -> int | None:
        """Stamp [ns] of the end of the newest window that was used."""
        return self._learned_ns

    def age(self, stamp_ns: int) -> float:
        """Return the age [s] of the newest window at a stamp [ns]."""
        return 0.0 if self._learned_ns is None else 1e-9 * (stamp_ns - self._learned_ns)

    def commands_sent(self, count: int) -> Array:
        """Return the commands in force at `count` steps from the window's end on (count, 2)."""
        if self._learned_ns is None:
            return np.zeros((count, 2))
        steps = np.arange(count, dtype=np.int64) * self.window.config.step_ns
        return self.window.commands_at(self._learned_ns + steps)[:, :2]

    def ready(self) -> bool:
        """Return whether odometry fills the window without a gap."""
        times = self.window.odometry.times
        return len(times) > 1 and bool(self.window.has_coverage(times[-1:])[0])

    def due(self) -> int | None:
        """Return the stamp [ns] of new odometry where a step is due, else None."""
        if not self.ready():
            return None
        anchor_ns = int(self.window.odometry.times[-1])
        # An older message that comes late leaves the newest one what it was.
        if anchor_ns == self._learned_ns or not self._pacing.take(anchor_ns):
            return None
        return anchor_ns

    def update(self, anchor_ns: int) -> Array:
        """Return the window (1, W, F) that ends at a covered stamp [ns]; step the model."""
        rows = self.rows = self.window.rows(np.array([anchor_ns], dtype=np.int64))
        before = [] if self._learned_ns is None else [self._learned_ns]
        new = rows_between(
            np.array([*before, anchor_ns], dtype=np.int64), self.window.config.step_ns)[-1]
        self.output = self.model.step(self.model_state, rows, int(new))
        self.model_state = self.output.state
        self._learned_ns = anchor_ns
        return rows
