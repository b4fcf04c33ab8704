"""The predictor node: odometry, IMU and commands in, where the robot will be out."""

from dataclasses import dataclass
import math
from pathlib import Path as FilePath
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.core import artifact, samples
from lstm_predictor.core.clock import ClockOffset
from lstm_predictor.core.prediction import Prediction
from lstm_predictor.core.predictor import Predictor, PredictorConfig
from lstm_predictor.core.supervisor import Supervisor, SupervisorConfig
from lstm_predictor.nodes import health, messages, parameters
from lstm_predictor.nodes.commands import BEST_EFFORT, CommandSubscription
from lstm_predictor.nodes.lifecycle import run
from lstm_predictor.nodes.managed import ManagedNode
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


class PredictorNode(ManagedNode):
    """Converts messages, calls the predictor and publishes."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('predictor', **options)
        parameters.declare(self, PredictorNodeConfig, PredictorConfig, SupervisorConfig)

    def configure(self) -> None:
        """Read parameters and model file and open the topics."""
        self._config = parameters.read(self, PredictorNodeConfig)
        config = parameters.read(self, PredictorConfig)
        path = FilePath(self._config.model_path or default_model())
        model = artifact.load(
            path, self._config.model_sha256, self._config.allow_writable_model)
        horizon = model.contract.horizon / model.contract.rate
        if self._config.pose_horizon > horizon:
            raise ValueError(f'pose_horizon is {self._config.pose_horizon} s, the model '
                             f'predicts {horizon} s')
        torch.set_num_threads(1)
        self._predictor = Predictor(model, config, parameters.read(self, SupervisorConfig))
        self._model_text = f'{path.name}, trained for {model.contract.robots}'
        self._inputs = {
            'odom': health.Input('odom'),
            'imu': health.Input('imu', needed=False),
            'cmd_vel': health.Input('cmd_vel', needed=False, timeout=2.0)}
        self._path = self.offer(Path, 'predicted_path')
        self._pose = self.offer(PoseWithCovarianceStamped, 'predicted_pose')
        self._odom = self.offer(Odometry, 'predicted_odom')
        self._transforms = transform_broadcaster(self) if self._config.publish_tf else None
        self._diagnostics = self.offer(DiagnosticArray, '/diagnostics')
        self.hear(Odometry, 'odom', self._on_odometry, BEST_EFFORT)
        if config.use_imu:
            self.hear(Imu, 'imu', self._on_imu, BEST_EFFORT)
        self.keep(CommandSubscription(self, 'cmd_vel', self._on_command).destroy)
        self.every(self._config.diagnostics_period, self._report)

    def start(self) -> None:
        """Start with an empty window."""
        self._predictor.reset()
        self._offset = ClockOffset()
        self._frames = ('', '')
        self._published = 0
        self._published_at = time.monotonic()  # [s] steady
        self._last: Prediction | None = None
        self._seconds = 0.0  # what the last prediction took

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_odometry(self, message: Odometry) -> None:
        if not self._take('odom', samples.read_odometry, message):
            return
        self._offset.add(self._now_ns(), samples.stamp_ns(message.header))
        self._frames = (message.header.frame_id, message.child_frame_id)
        started = time.perf_counter()
        prediction = self._predictor.predict_if_due()
        if prediction is None:
            return
        self._seconds = time.perf_counter() - started
        self._last = prediction
        if prediction.is_finite():
            self._publish(prediction)

    def _on_imu(self, message: Imu) -> None:
        self._take('imu', samples.read_imu, message)

    def _on_command(self, message: Any) -> None:
        if self.active:
            receive_ns = self._now_ns() - self._offset.offset_ns
            self._take('cmd_vel', samples.read_command, message, receive_ns)

    def _take(self, topic: str, read: Any, *message: Any) -> bool:
        """Hand a message to the predictor; refuse it by name where it is bad."""
        if not self.active:
            return False
        now = time.monotonic()
        heard = self._inputs[topic]
        try:
            taken = self._predictor.add(read(*message))
        except samples.BadMessage as error:
            heard.refuse(str(error), now)
            return False
        heard.heard(now)
        return taken

    def _publish(self, prediction: Prediction) -> None:
        frame_id, child_frame_id = self._frames
        self._path.publish(messages.path_message(prediction, frame_id))
        step = prediction.at(self._horizon(prediction))
        self._pose.publish(messages.pose_message(step, frame_id))
        self._odom.publish(messages.odometry_message(step, frame_id, child_frame_id))
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

    def _report(self) -> None:
        if self.active:
            now = time.monotonic()
            entries = [topic.status(now) for topic in self._inputs.values()]
            entries.append(self._prediction_status(now))
        else:
            entries = [topic.unread() for topic in self._inputs.values()]
            entries.append(health.status(health.OK, 'prediction', 'not active', {}))
        self._diagnostics.publish(health.report(self, entries))

    def _prediction_status(self, now: float) -> DiagnosticStatus:
        level, text = self._prediction_health(now)
        last = self._last
        return health.status(level, 'prediction', text, {
            'model': self._model_text, 'source': last.source if last else 'none',
            'published': self._published, 'inference [ms]': f'{1e3 * self._seconds:.2f}',
            'pose_horizon [s]': f'{self._horizon(last):.3f}',
            'a command takes effect after [s]': f'{last.takes_effect:.3f}' if last else 'unknown',
            **scores(self._predictor.supervisor, self._horizon(last))})

    def _prediction_health(self, now: float) -> tuple[Any, str]:
        """Return the level and, in words, the first thing that is wrong."""
        last = self._last
        age = now - self._published_at
        if not self._predictor.ready():
            return health.WARN, 'waiting: odometry does not fill the window without a gap'
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
            f'{running.position[nearest]:.4f}'
        result[f'{name}: inside the 90 % region after {ahead[nearest]:g} s [%]'] = \
            f'{100.0 * running.coverage[nearest]:.0f}'
    result['scored after [s]'] = _row(ahead, 'g')
    for name, running in errors.items():
        result[f'{name}: position RMSE [m]'] = _row(running.position, '.4f')
        result[f'{name}: heading RMSE [rad]'] = _row(running.heading, '.4f')
        result[f'{name}: inside the 90 % region [%]'] = _row(100.0 * running.coverage, '.0f')
    return result


def _row(values: Any, form: str) -> str:
    return ', '.join(format(value, form) for value in values.tolist())


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(PredictorNode, args)
