"""An input delay for simulated robots that have none: commands are passed on later."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import TwistStamped

from lstm_predictor.common import readings
from lstm_predictor.common.checks import require_not_negative
from lstm_predictor.nodes import parameters
from lstm_predictor.nodes.executor import run
from lstm_predictor.nodes.lifecycle_node import ManagedNode
from lstm_predictor.nodes.velocity_commands import (
    check_distinct_topics, CommandPublisher, CommandSubscription)

_LOOK_PERIOD = 0.005  # by which a command may be late [s]
_QUIET = 1.0  # between two warnings about commands that cannot be read [s]


@dataclass(frozen=True)
class SlowLinkConfig:
    """How slow the link is."""

    autostart: bool = True  # configure and activate without being asked
    command_delay: float = 0.2  # dead time of the robot behind it, by the node's clock [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_not_negative(self, 'command_delay')


class SlowLink(ManagedNode):
    """Passes each command on after a delay; between a simulated robot and its controller."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('slow_link', **options)
        parameters.declare(self, SlowLinkConfig)

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        check_distinct_topics(self)
        self._delay_ns = round(1e9 * parameters.read(self, SlowLinkConfig).command_delay)
        self._waiting: deque[tuple[int, readings.Command]] = deque()  # by when each came [ns]
        self._command = CommandPublisher(self, 'cmd_vel')
        self.add_cleanup(self._command.destroy)
        self.add_cleanup(CommandSubscription(
            self, 'cmd_vel_in', self.while_active(self._on_command), before=TwistStamped).destroy)
        self.add_timer(_LOOK_PERIOD, self._pass_on)

    def start(self) -> None:
        """Start with nothing on its way."""
        self._waiting.clear()

    def stop(self) -> None:
        """Stop the robot: the commands on their way are lost."""
        self._command.stop()

    def _on_command(self, message: Any) -> None:
        try:
            command = readings.read_command(message, 0)
        except readings.InvalidMessage as error:
            self.get_logger().warning(f'command rejected: {error}', throttle_duration_sec=_QUIET)
            return
        self._waiting.append((self._now_ns(), command))
        self._pass_on()

    def _pass_on(self) -> None:
        if not self.active:
            return
        now_ns = self._now_ns()
        if self._waiting and now_ns < self._waiting[-1][0]:  # the simulation began anew
            self._waiting.clear()
        while self._waiting and now_ns - self._waiting[0][0] >= self._delay_ns:
            _, command = self._waiting.popleft()
            self._command.publish(command.speed, command.yaw_rate)

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(SlowLink, args)
