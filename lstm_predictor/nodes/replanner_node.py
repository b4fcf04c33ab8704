"""The replanner node: the upstream command in, what the robot shall do out."""

from dataclasses import dataclass
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from lstm_predictor.core.caution import CautionConfig
from lstm_predictor.core.follower import NO_PLAN
from lstm_predictor.core.mppi_config import MppiConfig
from lstm_predictor.core.pursuit import PursuitConfig
from lstm_predictor.core.replanner import IDLE, Output, ReplannerConfig
from lstm_predictor.nodes import health, parameters
from lstm_predictor.nodes.commands import CommandPublisher, refuse_a_loop
from lstm_predictor.nodes.lifecycle import run
from lstm_predictor.nodes.managed import ManagedNode
from lstm_predictor.nodes.markers import command_markers, Markers
from lstm_predictor.nodes.modes import mode_of

_IDLING = (IDLE, NO_PLAN)  # nothing was asked of this node yet, so that it says nothing


@dataclass(frozen=True)
class ReplannerNodeConfig:
    """What the node needs to know beside the replanner itself."""

    autostart: bool = True  # configure and activate without being asked
    mode: str = 'compensate'  # compensate, follow_path or mppi
    model_path: str = ''  # for mppi: TorchScript archive; empty: the one of the package
    model_sha256: str = ''  # for mppi: the only hash that is accepted; empty: any
    # For mppi: load one without a hash that anyone can change.
    allow_writable_model: bool = False
    control_frequency: float = 20.0  # least rate of commands and of the watchdog [Hz]
    # Which step of the predicted path is corrected; 0: where a command given now takes effect,
    # 0.5 s at least [s].
    correction_horizon: float = 0.0
    diagnostics_period: float = 1.0  # [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if not 0.0 <= self.correction_horizon < math.inf:
            raise ValueError(f'correction_horizon must be 0 or positive and finite, is '
                             f'{self.correction_horizon}')
        for name in ('control_frequency', 'diagnostics_period'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive and finite, is {getattr(self, name)}')


TYPES = (ReplannerNodeConfig, ReplannerConfig, CautionConfig, PursuitConfig, MppiConfig)
# Parameters that can be changed while driving.
LIVE = parameters.names(ReplannerConfig, CautionConfig, PursuitConfig) - {'max_dead_time'}


class ReplannerNode(ManagedNode):
    """Publishes what its mode makes of the messages."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('replanner', **options)
        parameters.declare(self, *TYPES)
        parameters.watch(self, TYPES, LIVE, lambda configs: self._mode.retune(configs))

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        refuse_a_loop(self)
        self._config = parameters.read(self, ReplannerNodeConfig)
        for config in (PursuitConfig, MppiConfig):  # wrong is wrong in every mode
            parameters.read(self, config)
        self._inputs: dict[str, health.Input] = {}
        self._mode = mode_of(self._config.mode)(self, self._inputs)
        self._command = CommandPublisher(self, 'cmd_vel')
        self.keep(self._command.destroy)
        self._markers = Markers(self, 'command_markers')
        self._diagnostics = health.Diagnostics(self)
        self.every(1.0 / self._config.control_frequency, self.send_if_due)
        self.every(self._config.diagnostics_period, self._report)
        self.every(health.LOOK_PERIOD, self._look)

    def start(self) -> None:
        """Start idle."""
        for topic in self._inputs.values():
            topic.forget()
        self._mode.start()
        self._diagnostics.forget()
        self._last = Output(0.0, 0.0, IDLE)
        self._sent_at = 0.0  # [s] steady
        self._seconds = 0.0  # what the last command took
        asked = 'cmd_vel_in' if self._config.mode == 'compensate' else 'plan'
        self.get_logger().info(f'active in mode {self._config.mode}, waiting for '
                               f'{self.resolve_topic_name(asked)}')

    def stop(self) -> None:
        """Stop the robot where this node drove it; nobody else will."""
        if self._last.reason not in _IDLING:
            self._command.stop()

    def read(self, topic: str, reader: Any, *message: Any) -> Any:
        """Return the reading of a message, or None where it is bad or the node not active."""
        if not self.active:
            return None
        return self._inputs[topic].read(reader, *message)

    def send_if_due(self) -> None:
        """Send a command where the last one is old enough."""
        # Half a period: an upstream of the same rate is answered at once, not by the timer.
        due = time.monotonic() - self._sent_at > 0.5 / self._config.control_frequency
        if self.active and due:
            self.send()

    def send(self) -> None:
        """Send the command for now; nothing as long as nobody asked for any."""
        self._sent_at = time.monotonic()
        self._mode.caution.expire(self._sent_at, self._mode.config.prediction_timeout)
        self._last = self._mode.output(self._sent_at)
        self._seconds = time.monotonic() - self._sent_at
        if self._last.reason not in _IDLING:
            self._command.publish(self._last.speed, self._last.yaw_rate)
            self._markers.show(self._arrows)

    def _arrows(self) -> list[Any]:
        """Return what was asked for and what is sent, as arrows from the robot."""
        if not self._mode.body_frame:  # nobody said where that is
            return []
        sent = {'sent': (self._last.speed, self._last.yaw_rate)}
        asked = self._mode.asked
        return command_markers(
            {'asked': (asked.speed, asked.yaw_rate), **sent} if asked else sent,
            self._mode.body_frame)

    def _look(self) -> None:
        for topic in self._inputs.values():
            topic.look(self)

    def _report(self) -> None:
        if not self.active:
            entries = [topic.unread() for topic in self._inputs.values()]
            entries.append(health.status(health.OK, 'replanning', 'not active', {}))
            self._diagnostics.publish(entries, 'not active')
            return
        replanning = self._replanning_status()
        self._diagnostics.publish([
            *(topic.status(time.monotonic()) for topic in self._inputs.values()),
            health.output_status('cmd_vel', self._command.problem),
            self._mode.timing.status(self._seconds, 1.0 / self._config.control_frequency),
            replanning], replanning.message)

    def _replanning_status(self) -> DiagnosticStatus:
        caution = self._mode.caution
        level = self._mode.level(self._last.reason)
        return health.status(level, 'replanning', self._last.reason, {
            'mode': self._config.mode,
            'speed [m/s]': f'{self._last.speed:.3f}',
            'yaw rate [rad/s]': f'{self._last.yaw_rate:.3f}',
            'share of the speed [%]': f'{100.0 * caution.share:.0f}',
            'predicted error across the path [m]': health.shown(caution.across, '.4f'),
            'computation [ms]': f'{1e3 * self._seconds:.2f}'})


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(ReplannerNode, args)
