"""The predictor node: odometry, IMU and commands in, the predicted trajectory out."""

from dataclasses import dataclass
from pathlib import Path as FilePath
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from geometry_msgs.msg import PoseWithCovarianceStamped

from lstm_predictor.common import readings
from lstm_predictor.common.checks import require_not_negative, require_positive
from lstm_predictor.model import model_file
from lstm_predictor.nodes import conversions, diagnostics, parameters
from lstm_predictor.nodes.clock_diagnostics import ClockMonitor
from lstm_predictor.nodes.executor import run
from lstm_predictor.nodes.markers import Markers, region_markers
from lstm_predictor.nodes.monitored_node import MonitoredNode
from lstm_predictor.nodes.predictor_diagnostics import PredictorDiagnostics
from lstm_predictor.nodes.queued_messages import waiting
from lstm_predictor.nodes.velocity_commands import (
    BEST_EFFORT, COMMANDS, CommandSubscription, OFTEN)
from lstm_predictor.paths import default_model
from lstm_predictor.prediction.mixture import MixtureConfig
from lstm_predictor.prediction.mixture_report import ENTRY
from lstm_predictor.prediction.predictor import Predictor, PredictorConfig
from lstm_predictor.prediction.trajectory import PredictedTrajectory
from lstm_predictor.sensor_checks.sensor_correction import lines

from nav_msgs.msg import Odometry, Path

from sensor_msgs.msg import Imu

import torch


@dataclass(frozen=True)
class PredictorNodeConfig:
    """What the node needs to know beside the predictor itself."""

    autostart: bool = True  # configure and activate on start-up
    model_path: str = ''  # TorchScript archive; empty: the package's default model
    model_sha256: str = ''  # the only accepted hash; empty: any
    allow_writable_model: bool = False  # accept a file without a hash that any user can change
    # How far ahead predicted_pose and predicted_odom are; 0: the time until a command given now
    # takes effect, estimated by the model [s].
    pose_horizon: float = 0.0
    publish_tf: bool = False  # publish the transform to the predicted pose too; needs tf2_ros
    predicted_frame: str = 'base_link_predicted'  # child frame of that transform
    diagnostics_period: float = 1.0  # between two messages on /diagnostics [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_not_negative(self, 'pose_horizon')
        require_positive(self, 'diagnostics_period')
        if self.publish_tf and not self.predicted_frame:
            raise ValueError('predicted_frame must not be empty with publish_tf')


_BEHIND = 0.1  # lateness of odometry from which this node may be the one that is slow [s]
TYPES = (PredictorNodeConfig, PredictorConfig, MixtureConfig)
LIVE = {'pose_horizon'}  # parameters that can be changed while driving


class PredictorNode(MonitoredNode):
    """Converts messages, calls the predictor and publishes."""

    work = ENTRY

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
        model = model_file.load(
            path, self._config.model_sha256, self._config.allow_writable_model)
        self._longest = model.contract.horizon / model.contract.rate  # [s]
        self._check_horizon(self._config)
        torch.set_num_threads(1)
        self._predictor = Predictor(model, config, parameters.read(self, MixtureConfig))
        self._log = PredictorDiagnostics(self._predictor, {
            'file': path.name, 'trained for': model.contract.robots, 'sha256': model.sha256})
        self._clocks = ClockMonitor(self)
        self._period = 1.0 / model.contract.rate  # [s]
        self._open_topics(config.use_imu)
        self.report_every(self._config.diagnostics_period)

    def _open_topics(self, use_imu: bool) -> None:
        self.add_input('odom', (Odometry,), missing=diagnostics.STALE, stopped=diagnostics.ERROR)
        self.add_input('imu', (Imu,), stopped=diagnostics.WARN)
        self.add_input('cmd_vel', COMMANDS, timeout=2.0)
        self._path = self.publish_on(Path, 'predicted_path')
        self._pose = self.publish_on(PoseWithCovarianceStamped, 'predicted_pose')
        self._odom = self.publish_on(Odometry, 'predicted_odom')
        self._markers = Markers(self, 'predicted_markers')
        self._transforms = transform_broadcaster(self) if self._config.publish_tf else None
        self._odometry = self.subscribe(Odometry, 'odom', self._on_odometry, BEST_EFFORT)
        self._imu = self.subscribe(Imu, 'imu', self._on_imu, OFTEN) if use_imu else None
        self._commands = CommandSubscription(
            self, 'cmd_vel', self.while_active(self._on_command))
        self.add_cleanup(self._commands.destroy)

    def _check_horizon(self, config: PredictorNodeConfig) -> None:
        if config.pose_horizon > self._longest:
            raise ValueError(f'pose_horizon is {config.pose_horizon} s, the model predicts '
                             f'{self._longest} s')

    def _retune(self, configs: dict[type, Any]) -> None:
        self._check_horizon(configs[PredictorNodeConfig])
        self._config = configs[PredictorNodeConfig]

    def start(self) -> None:
        """Start with an empty window."""
        super().start()
        self._predictor.reset()
        self._clocks.forget()
        self._log.reset()
        self._frames = ('', '')  # of the odometry and of the robot
        self._predicted_ns = 0  # when the last prediction was made, by the node's clock
        self.get_logger().info(f'active with {self._log.model["file"]}, waiting for '
                               f'{self.resolve_topic_name("odom")}')

    def _on_odometry(self, message: Odometry) -> None:
        messages = [message, *waiting(self, self._odometry)]
        if not self._clocks.add_queued(messages):
            for item in messages:
                if self._add_odometry(item):
                    self._predict()
            return
        # This node is behind: it predicts once, from the newest of everything.
        *older, newest = messages
        added = [self._add_odometry(item, newer_waits=True) for item in older]
        added.append(self._add_odometry(newest))
        self._clocks.catch_up()
        for item in waiting(self, self._imu) if self._imu else ():
            self._on_imu(item)
        self._commands.catch_up()
        if any(added):
            self._predict()

    def _add_odometry(self, message: Odometry, newer_waits: bool = False) -> bool:
        """Hand odometry to the predictor; return whether it was used."""
        odom = self.inputs['odom']
        with odom.parsing():
            odometry = readings.read_odometry(message)
            self._clocks.add_odometry(odometry.stamp_ns, newer_waits)
            if not self._predictor.add(odometry):
                raise readings.InvalidMessage('its stamp repeats an earlier one')
            restart = self._predictor.pop_restart_reason()
            if restart:
                odom.note(f'the prediction restarts: {restart}', time.monotonic())
            self._frames = (message.header.frame_id, message.child_frame_id)
            return True
        return False  # it was rejected

    def _on_imu(self, message: Imu) -> None:
        with self.inputs['imu'].parsing():
            imu = readings.read_imu(message)
            self._predictor.add(self._clocks.on_odometry_clock('imu', imu))

    def _on_command(self, message: Any) -> None:
        with self.inputs['cmd_vel'].parsing():
            receipt_ns = self._clocks.receipt_ns()
            command = readings.read_command(message, receipt_ns)
            if command.stamp_ns != receipt_ns:  # it has a stamp of its own
                command = self._clocks.on_odometry_clock('cmd_vel', command)
            self._predictor.add(command)

    def _predict(self) -> None:
        # A node that is behind takes its queue before it predicts again, lest it stay behind.
        rested = 1e-9 * (self._clocks.now_ns() - self._predicted_ns)
        if self._clocks.late() > _BEHIND and 0.0 <= rested < 0.5 * self._period:
            return
        started = time.perf_counter()
        prediction = self._predictor.predict_if_due()
        if prediction is None:
            return
        self._log.predicted(prediction, time.perf_counter() - started)
        self._predicted_ns = self._clocks.now_ns()
        if prediction.is_finite():
            self._publish(prediction)

    def _publish(self, prediction: PredictedTrajectory) -> None:
        frame_id, child_frame_id = self._frames
        self._path.publish(conversions.path_message(prediction, frame_id))
        step = prediction.at(self._horizon(prediction))
        self._pose.publish(conversions.pose_message(step, frame_id))
        self._odom.publish(conversions.odometry_message(step, frame_id, child_frame_id))
        self._markers.show(lambda: region_markers(prediction, frame_id))
        if self._transforms is not None:
            self._transforms.sendTransform(conversions.transform_message(
                prediction, step, frame_id, self._config.predicted_frame))
        self._log.published()

    def _horizon(self, prediction: PredictedTrajectory | None) -> float:
        """Return how far ahead predicted_pose and predicted_odom are [s]."""
        if self._config.pose_horizon or prediction is None:
            return self._config.pose_horizon
        return prediction.actuation_latency

    def work_status(self) -> list[DiagnosticStatus]:
        """Return the entries of model, clocks, motion and prediction."""
        found = lines(self._predictor.findings())
        for name, topic in self.inputs.items():
            topic.found = '; '.join(line for line in found if line.startswith(f'{name} '))
        fresh = self.inputs['odom'].is_fresh(time.monotonic())
        return [self._log.model_status(), self._clocks.status(self._log.seconds, self._period),
                self._log.motion_status(fresh),
                self._log.prediction_status(self._horizon(self._log.last))]


def transform_broadcaster(node: Any) -> Any:
    """Return a broadcaster of transforms; raise ValueError where tf2_ros is missing."""
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError:
        raise ValueError('publish_tf needs tf2_ros, which is not there: install '
                         'ros-$ROS_DISTRO-tf2-ros-py') from None
    broadcaster = TransformBroadcaster(node)
    # It does not destroy its publisher itself.
    node.add_cleanup(lambda: node.destroy_publisher(broadcaster.pub_tf))
    return broadcaster


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(PredictorNode, args)
