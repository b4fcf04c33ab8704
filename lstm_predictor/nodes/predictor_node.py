"""The predictor node: odometry, IMU and commands in, where the robot will be out."""

from dataclasses import dataclass
import math
from pathlib import Path as FilePath
import time
from typing import Any

from ament_index_python.packages import get_package_share_directory, PackageNotFoundError

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.core import artifact, samples
from lstm_predictor.core.clock import ClockOffset
from lstm_predictor.core.prediction import Prediction
from lstm_predictor.core.predictor import Predictor, PredictorConfig
from lstm_predictor.nodes import health, messages, parameters
from lstm_predictor.nodes.commands import BEST_EFFORT, CommandSubscription
from lstm_predictor.nodes.lifecycle import configures, run

from nav_msgs.msg import Odometry, Path

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from sensor_msgs.msg import Imu

import torch


@dataclass(frozen=True)
class PredictorNodeConfig:
    """What the node needs to know beside the predictor itself."""

    autostart: bool = True  # configure and activate without being asked
    model_path: str = ''  # TorchScript archive; empty: the one that comes with the package
    model_sha256: str = ''  # the only hash that is accepted; empty: any
    pose_horizon: float = 0.5  # how far ahead predicted_pose and predicted_odom are [s]
    diagnostics_period: float = 1.0  # [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('pose_horizon', 'diagnostics_period'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f'{name} must be positive and finite [s], is {getattr(self, name)}')


class PredictorNode(LifecycleNode):
    """Converts messages, calls the predictor and publishes."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('predictor', **options)
        parameters.declare(self, PredictorNodeConfig, PredictorConfig)
        self._active = False

    @configures
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters and model file; one line says what is wrong with them."""
        self._config = parameters.read(self, PredictorNodeConfig)
        config = parameters.read(self, PredictorConfig)
        path = FilePath(self._config.model_path or default_model())
        model = artifact.load(path, self._config.model_sha256)
        horizon = model.contract.horizon / model.contract.rate
        if self._config.pose_horizon > horizon:
            raise ValueError(f'pose_horizon is {self._config.pose_horizon} s, the model '
                             f'predicts {horizon} s')
        torch.set_num_threads(1)
        self._predictor = Predictor(model, config)
        self._index = max(0, round(self._config.pose_horizon * model.contract.rate) - 1)
        self._model_text = f'{path.name}, trained for {model.contract.robots}'
        self._open_topics(config)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start with an empty window."""
        self._predictor.reset()
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop predicting; inputs are ignored until the next activation."""
        self._active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back that `on_configure` made."""
        self._active = False
        self._commands.destroy()
        self.destroy_timer(self._timer)
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        for publisher in (self._path, self._pose, self._odom):
            self.destroy_lifecycle_publisher(publisher)
        self.destroy_publisher(self._diagnostics)
        return TransitionCallbackReturn.SUCCESS

    def _open_topics(self, config: PredictorConfig) -> None:
        self._offset = ClockOffset()
        self._frames = ('', '')
        self._published = 0
        self._last: Prediction | None = None
        self._seconds = 0.0  # what the last prediction took
        self._inputs = {
            'odom': health.Input('odom'),
            'imu': health.Input('imu', needed=False),
            'cmd_vel': health.Input('cmd_vel', needed=False, timeout=2.0)}
        self._path = self.create_lifecycle_publisher(Path, 'predicted_path', 10)
        self._pose = self.create_lifecycle_publisher(
            PoseWithCovarianceStamped, 'predicted_pose', 10)
        self._odom = self.create_lifecycle_publisher(Odometry, 'predicted_odom', 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._subscriptions_made = [
            self.create_subscription(Odometry, 'odom', self._on_odometry, BEST_EFFORT)]
        if config.use_imu:
            self._subscriptions_made.append(
                self.create_subscription(Imu, 'imu', self._on_imu, BEST_EFFORT))
        self._commands = CommandSubscription(self, 'cmd_vel', self._on_command)
        self._timer = self.create_timer(
            self._config.diagnostics_period, self._report,
            clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_odometry(self, message: Odometry) -> None:
        if not self._take('odom', samples.read_odometry, message):
            return
        stamp = message.header.stamp
        self._offset.add(self._now_ns(), stamp.sec * 1_000_000_000 + stamp.nanosec)
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
        receive_ns = self._now_ns() - self._offset.offset_ns
        self._take('cmd_vel', samples.read_command, message, receive_ns)

    def _take(self, topic: str, read: Any, *message: Any) -> bool:
        """Hand a message to the predictor; refuse it by name where it is bad."""
        if not self._active:
            return False
        heard = self._inputs[topic]
        try:
            reading = read(*message)
        except samples.BadMessage as error:
            heard.refuse(str(error))
            return False
        heard.heard(time.monotonic())
        return self._predictor.add(reading)

    def _publish(self, prediction: Prediction) -> None:
        frame_id, child_frame_id = self._frames
        self._path.publish(messages.path_message(prediction, frame_id))
        self._pose.publish(messages.pose_message(prediction, self._index, frame_id))
        self._odom.publish(messages.odometry_message(
            prediction, self._index, frame_id, child_frame_id))
        self._published += 1

    def _report(self) -> None:
        entries = [topic.status(time.monotonic()) for topic in self._inputs.values()]
        entries += [self._prediction_status()]
        self._diagnostics.publish(health.report(self, entries))

    def _prediction_status(self) -> DiagnosticStatus:
        level, text = health.OK, 'predicting'
        if not self._active:
            text = 'not active'
        elif not self._predictor.ready():
            level, text = health.WARN, 'waiting: odometry does not fill the window without a gap'
        elif self._last is not None and not self._last.is_finite():
            level, text = health.ERROR, 'the model gave a value that is not finite'
        elif self._last is not None and self._predictor.config.use_imu \
                and not self._last.imu_valid:
            level, text = health.WARN, 'predicting without IMU'
        return health.status(level, 'prediction', text, {
            'model': self._model_text, 'published': self._published,
            'inference [ms]': f'{1e3 * self._seconds:.2f}',
            'pose_horizon [s]': self._config.pose_horizon})


def default_model() -> str:
    """Return the path of the model file that comes with the package."""
    try:
        share = FilePath(get_package_share_directory('lstm_predictor'))
    except (PackageNotFoundError, OSError):
        share = FilePath(__file__).resolve().parents[2]
    return str(share / 'models' / 'turtlebot3.pt')


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(PredictorNode, args)
