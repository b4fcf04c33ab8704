"""The predictor node: odometry, IMU and commands in, where the robot will be out."""

from dataclasses import dataclass
import math
from pathlib import Path as FilePath
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.core import artifact, samples
from lstm_predictor.core.plausibility import contradiction
from lstm_predictor.core.prediction import Prediction
from lstm_predictor.core.predictor import Predictor, PredictorConfig
from lstm_predictor.core.supervisor import Supervisor, SupervisorConfig
from lstm_predictor.nodes import health, messages, parameters
from lstm_predictor.nodes.commands import BEST_EFFORT, COMMANDS, CommandSubscription
from lstm_predictor.nodes.lifecycle import run
from lstm_predictor.nodes.managed import ManagedNode
from lstm_predictor.nodes.markers import Markers, region_markers
from lstm_predictor.nodes.timing import Timing
from lstm_predictor.paths import default_model

from nav_msgs.msg import Odometry, Path

import numpy as np

from sensor_msgs.msg import Imu

import torch


@dataclass(frozen=True)
class PredictorNodeConfig:
    """What the node needs to know beside the predictor itself."""

    autostart: bool = True  # configure and activate without being asked
    model_path: str = ''  # TorchScript archive; empty: the one that comes with the package
    model_sha256: str = ''  # the only hash that is accepted; empty: any
    allow_writable_model: bool = False  # load one without a hash that anyone can change
    # How far ahead predicted_pose and predicted_odom are; 0: until a command given now takes
    # effect, which the model works out [s].
    pose_horizon: float = 0.0
    publish_tf: bool = False  # transform to the predicted pose as well; needs tf2_ros
    predicted_frame: str = 'base_link_predicted'  # child frame of that transform
    diagnostics_period: float = 1.0  # [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if not 0.0 <= self.pose_horizon < math.inf:
            raise ValueError(
                f'pose_horizon must be 0 or positive and finite [s], is {self.pose_horizon}')
        if not 0.0 < self.diagnostics_period < math.inf:
            raise ValueError(f'diagnostics_period must be positive and finite [s], is '
                             f'{self.diagnostics_period}')
        if self.publish_tf and not self.predicted_frame:
            raise ValueError('predicted_frame must not be empty with publish_tf')


_BEHIND = 0.1  # lateness of odometry from which this node may be the one that is slow [s]
TYPES = (PredictorNodeConfig, PredictorConfig, SupervisorConfig)
LIVE = {'pose_horizon'}  # parameters that can be changed while driving


class PredictorNode(ManagedNode):
    """Converts messages, calls the predictor and publishes."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('predictor', **options)
        parameters.declare(self, *TYPES)
        parameters.watch(self, TYPES, LIVE, self._retune)

    def configure(self) -> None:
        """Read parameters and model file and open the topics."""
        self._config = parameters.read(self, PredictorNodeConfig)
        config = parameters.read(self, PredictorConfig)
        path = FilePath(self._config.model_path or default_model())
        model = artifact.load(
            path, self._config.model_sha256, self._config.allow_writable_model)
        self._longest = model.contract.horizon / model.contract.rate  # [s]
        self._check_horizon(self._config)
        torch.set_num_threads(1)
        self._predictor = Predictor(model, config, parameters.read(self, SupervisorConfig))
        self._model = {
            'file': path.name, 'trained for': model.contract.robots,
            'sha256': model.sha256}
        self._period = 1.0 / model.contract.rate  # [s]
        self._inputs = {
            'odom': health.Input(
                'odom', (Odometry,), missing=health.STALE, stopped=health.ERROR),
            'imu': health.Input('imu', (Imu,), stopped=health.WARN),
            'cmd_vel': health.Input('cmd_vel', COMMANDS, timeout=2.0)}
        self._timing = Timing(self)
        self._path = self.offer(Path, 'predicted_path')
        self._pose = self.offer(PoseWithCovarianceStamped, 'predicted_pose')
        self._odom = self.offer(Odometry, 'predicted_odom')
        self._markers = Markers(self, 'predicted_markers')
        self._transforms = transform_broadcaster(self) if self._config.publish_tf else None
        self._diagnostics = health.Diagnostics(self)
        self.hear(Odometry, 'odom', self._on_odometry, BEST_EFFORT)
        if config.use_imu:
            self.hear(Imu, 'imu', self._on_imu, BEST_EFFORT)
        self.keep(CommandSubscription(self, 'cmd_vel', self._on_command).destroy)
        self.every(self._config.diagnostics_period, self._report)
        self.every(health.LOOK_PERIOD, self._look)

    def _check_horizon(self, config: PredictorNodeConfig) -> None:
        if config.pose_horizon > self._longest:
            raise ValueError(f'pose_horizon is {config.pose_horizon} s, the model predicts '
                             f'{self._longest} s')

    def _retune(self, configs: dict[type, Any]) -> None:
        self._check_horizon(configs[PredictorNodeConfig])
        self._config = configs[PredictorNodeConfig]

    def start(self) -> None:
        """Start with an empty window."""
        self._predictor.reset()
        self._timing.forget()
        self._diagnostics.forget()
        for topic in self._inputs.values():
            topic.forget()
        self._frames = ('', '')
        self._published = 0
        self._published_at = time.monotonic()  # [s] steady
        self._last: Prediction | None = None
        self._seconds = 0.0  # what the last prediction took
        self._predicted_ns = 0  # when that was, by the node's clock
        self.get_logger().info(f'active with {self._model["file"]}, waiting for '
                               f'{self.resolve_topic_name("odom")}')

    def _on_odometry(self, message: Odometry) -> None:
        if not self._take('odom', self._read_odometry, message):
            return
        self._frames = (message.header.frame_id, message.child_frame_id)
        # A node that is behind hears what waits before it predicts again, lest it stay behind.
        rested = 1e-9 * (self._timing.now_ns() - self._predicted_ns)
        if self._timing.late() > _BEHIND and 0.0 <= rested < 0.5 * self._period:
            return
        started = time.perf_counter()
        prediction = self._predictor.predict_if_due()
        if prediction is None:
            return
        self._seconds = time.perf_counter() - started
        self._predicted_ns = self._timing.now_ns()
        self._last = prediction
        if prediction.is_finite():
            self._publish(prediction)

    def _on_imu(self, message: Imu) -> None:
        self._take('imu', self._read_imu, message)

    def _on_command(self, message: Any) -> None:
        self._take('cmd_vel', self._read_command, message)

    def _read_odometry(self, message: Odometry) -> samples.Odometry:
        reading = samples.read_odometry(message)
        self._timing.add_odometry(reading.stamp_ns)
        return reading

    def _read_imu(self, message: Imu) -> samples.Imu:
        return self._timing.on_odometry_clock('imu', samples.read_imu(message))

    def _read_command(self, message: Any) -> samples.Command:
        heard_ns = self._timing.heard_ns()
        command = samples.read_command(message, heard_ns)
        if command.stamp_ns == heard_ns:  # it has none of its own
            return command
        return self._timing.on_odometry_clock('cmd_vel', command)

    def _take(self, topic: str, read: Any, message: Any) -> bool:
        """Hand a message to the predictor; refuse it by name where it is bad."""
        if not self.active:
            return False
        heard = self._inputs[topic]
        taken = heard.read(self._add, read, message)
        anew = self._predictor.why_anew()
        if anew:
            heard.remark(f'prediction starts anew, {anew}', time.monotonic())
        return bool(taken)

    def _add(self, read: Any, message: Any) -> bool:
        reading = read(message)
        taken = self._predictor.add(reading)
        if not taken and isinstance(reading, samples.Odometry):
            raise samples.BadMessage('its stamp repeats an earlier one')
        return taken

    def _publish(self, prediction: Prediction) -> None:
        frame_id, child_frame_id = self._frames
        self._path.publish(messages.path_message(prediction, frame_id))
        step = prediction.at(self._horizon(prediction))
        self._pose.publish(messages.pose_message(step, frame_id))
        self._odom.publish(messages.odometry_message(step, frame_id, child_frame_id))
        self._markers.show(lambda: region_markers(prediction, frame_id))
        if self._transforms is not None:
            self._transforms.sendTransform(messages.transform_message(
                prediction, step, frame_id, self._config.predicted_frame))
        self._published += 1
        self._published_at = time.monotonic()

    def _horizon(self, prediction: Prediction | None) -> float:
        """Return how far ahead predicted_pose and predicted_odom are [s]."""
        if self._config.pose_horizon or prediction is None:
            return self._config.pose_horizon
        return prediction.takes_effect

    def _look(self) -> None:
        for topic in self._inputs.values():
            topic.look(self)

    def _report(self) -> None:
        if not self.active:
            entries = [topic.unread() for topic in self._inputs.values()]
            entries.append(health.status(health.OK, 'prediction', 'not active', {}))
            self._diagnostics.publish(entries, 'not active')
            return
        now = time.monotonic()
        prediction = self._prediction_status(now)
        self._diagnostics.publish([
            *(topic.status(now) for topic in self._inputs.values()), self._model_status(),
            self._timing.status(self._seconds, self._period), self._motion_status(), prediction],
            prediction.message)

    def _model_status(self) -> DiagnosticStatus:
        if self._last is not None and not self._last.is_finite():
            return health.status(health.ERROR, 'model',
                                 'the model gave a value that is not finite', self._model)
        return health.status(health.OK, 'model', f'{self._model["file"]} is loaded', self._model)

    def _motion_status(self) -> DiagnosticStatus:
        rows = self._predictor.observer.rows
        if rows is None or not self._inputs['odom'].is_fresh(time.monotonic()):
            return health.status(health.OK, 'motion', 'nothing is known of it now', {})
        wrong = contradiction(rows[0], self._period)
        return health.status(health.WARN if wrong else health.OK, 'motion',
                             wrong or 'the robot moves as it is told', {})

    def _prediction_status(self, now: float) -> DiagnosticStatus:
        level, text = self._prediction_health(now)
        last = self._last
        return health.status(level, 'prediction', text, {
            'source': last.source if last else 'none',
            'published': self._published, 'inference [ms]': f'{1e3 * self._seconds:.2f}',
            'pose_horizon [s]': f'{self._horizon(last):.3f}',
            'a command takes effect after [s]': f'{last.takes_effect:.3f}' if last else 'unknown',
            **scores(self._predictor.supervisor, self._horizon(last))})

    def _prediction_health(self, now: float) -> tuple[Any, str]:
        """Return the level and, in words, the first thing that is wrong."""
        last = self._last
        age = now - self._published_at
        if not self._predictor.ready():
            return health.WARN if self._published else health.STALE, \
                'waiting: odometry does not fill the window without a gap'
        if last is not None and not last.is_finite():
            return health.ERROR, 'the model gave a value that is not finite'
        if age > self._inputs['odom'].timeout:
            return health.ERROR, f'no prediction for {age:.1f} s'
        if last is None:
            return health.OK, 'predicting'
        level, remarks = health.OK, []
        if last.reason:
            level = health.WARN
            remarks = [f'{last.source} has the largest share: {last.reason}']
        if self._predictor.config.use_imu and not last.imu_valid:
            level, remarks = health.WARN, [*remarks, 'predicting without IMU']
        if not last.command_valid:
            remarks = [*remarks, 'predicting without a command']
        return level, '; '.join(remarks) or 'predicting'


def transform_broadcaster(node: Any) -> Any:
    """Return a broadcaster of transforms; raise ValueError where tf2_ros is missing."""
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError:
        raise ValueError('publish_tf needs tf2_ros, which is not there: install '
                         'ros-$ROS_DISTRO-tf2-ros-py') from None
    broadcaster = TransformBroadcaster(node)
    node.keep(lambda: node.destroy_publisher(broadcaster.pub_tf))  # it does not do so itself
    return broadcaster


def scores(supervisor: Supervisor, horizon: float) -> dict[str, str]:
    """Return the running errors of every predictor in words, first those nearest `horizon` [s]."""
    ahead = supervisor.checkpoints
    nearest = int(np.argmin(np.abs(ahead - horizon)))
    errors = {name: supervisor.errors(name) for name in (*supervisor.names, 'published')}
    result = {f'{name}: share [%]': f'{100.0 * share:.0f}'
              for name, share in zip(supervisor.names, supervisor.shares)}
    for name, running in errors.items():
        result[f'{name}: position RMSE after {ahead[nearest]:g} s [m]'] = \
            health.shown(running.position[nearest], '.4f')
        result[f'{name}: inside the 90 % region after {ahead[nearest]:g} s [%]'] = \
            health.shown(100.0 * running.coverage[nearest], '.0f')
    result['scored after [s]'] = _row(ahead, 'g')
    for name, running in errors.items():
        result[f'{name}: position RMSE [m]'] = _row(running.position, '.4f')
        result[f'{name}: heading RMSE [rad]'] = _row(running.heading, '.4f')
        result[f'{name}: inside the 90 % region [%]'] = _row(100.0 * running.coverage, '.0f')
    return result


def _row(values: Any, form: str) -> str:
    return ', '.join(health.shown(value, form) for value in values.tolist())


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(PredictorNode, args)
