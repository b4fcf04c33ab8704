"""A dead time for simulated robots that have none: commands are passed on later."""

from collections import deque
from dataclasses import dataclass
import math
from typing import Any

from geometry_msgs.msg import TwistStamped

from lstm_predictor.core import samples
from lstm_predictor.nodes import parameters
from lstm_predictor.nodes.commands import CommandPublisher, CommandSubscription, refuse_a_loop
from lstm_predictor.nodes.lifecycle import run
from lstm_predictor.nodes.managed import ManagedNode

_LOOK_PERIOD = 0.005  # by which a command may be late [s]
_QUIET = 1.0  # between two words about commands that cannot be read [s]


@dataclass(frozen=True)
class SlowLinkConfig:
    """How slow the link is."""

    autostart: bool = True  # configure and activate without being asked
    command_delay: float = 0.2  # dead time of the robot behind it, by the node's clock [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        if not 0.0 <= self.command_delay < math.inf:
            raise ValueError(
                f'command_delay must be 0 or positive and finite [s], is {self.command_delay}')


class SlowLink(ManagedNode):
    """Holds every command back for the dead time; between a simulated robot and who drives it."""

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; ValueError names one that is wrong."""
        super().__init__('slow_link', **options)
        parameters.declare(self, SlowLinkConfig)

    def configure(self) -> None:
        """Read the parameters and open the topics."""
        refuse_a_loop(self)
        self._delay_ns = round(1e9 * parameters.read(self, SlowLinkConfig).command_delay)
        self._waiting: deque[tuple[int, samples.Command]] = deque()  # by when each came [ns]
        self._command = CommandPublisher(self, 'cmd_vel')
        self.keep(self._command.destroy)
        self.keep(CommandSubscription(
            self, 'cmd_vel_in', self._on_command, before=TwistStamped).destroy)
        self.every(_LOOK_PERIOD, self._pass_on)

    def start(self) -> None:
        """Start with nothing on its way."""
        self._waiting.clear()

    def stop(self) -> None:
        """Stop the robot: what is on its way is lost, and nobody knows what the last one was."""
        self._command.stop()

    def _on_command(self, message: Any) -> None:
        if not self.active:
            return
        try:
            command = samples.read_command(message, 0)
        except samples.BadMessage as error:
            self.get_logger().warning(f'lost: {error}', throttle_duration_sec=_QUIET)
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
