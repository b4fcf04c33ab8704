"""
Compares the commands that the robot receives with those that were published.

Nodes in between may delay, smooth or quantize them: a command within the range of those published
lately is one of them. Anything else is of another node: a monitor that slows the robot down or
stops it, a joystick that has taken over.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

_LATELY = 0.7  # for which a command may be on its way through other nodes [s]
_SILENT = 0.6  # without a command that the robot gets, while some are sent [s]
_CLOSE = (0.012, 0.025)  # a step of a driver and a little [m/s], [rad/s]
_CLOSE_SHARE = 0.02  # of the largest of them [-]
_CONFIRMED = 10  # commands with motion that were passed on: only then it is the robot's topic


class Delivery(Enum):
    """Whether published commands arrive at the robot."""

    UNKNOWN = 'unknown'  # no topic shows it
    ARRIVES = 'arrives'
    REPLACED = 'replaced'  # the robot gets another command
    SILENT = 'silent'  # the robot gets none


class _Sent(NamedTuple):
    at: float  # [s] steady
    command: tuple[float, float]  # [m/s], [rad/s]


class DeliveryWatch:
    """Compares received commands with published ones."""

    def __init__(self) -> None:
        """Start without a command."""
        self.trusted = False  # the topic was named by the user
        self.reset()

    def reset(self) -> None:
        """Forget every command."""
        self._sent: deque[_Sent] = deque()
        self.arrived: tuple[float, float] | None = None  # the newest [m/s], [rad/s]
        self._arrived_at = 0.0  # [s] steady
        self._replaced = False
        self._passed_on = 0

    def send(self, speed: float, yaw_rate: float, steady: float) -> None:
        """Take a published command [m/s], [rad/s], at a monotonic time [s]."""
        self._sent.append(_Sent(steady, (speed, yaw_rate)))
        while steady - self._sent[1 if len(self._sent) > 1 else 0].at > _LATELY:
            self._sent.popleft()

    def arrive(self, speed: float, yaw_rate: float, steady: float) -> None:
        """Take a command [m/s], [rad/s] that the robot receives."""
        self.arrived, self._arrived_at = (speed, yaw_rate), steady
        if not self._sent:
            return
        self._replaced = not all(
            _within(got, [sent.command[axis] for sent in self._sent], _CLOSE[axis])
            for axis, got in enumerate(self.arrived))
        if not self._replaced and (abs(speed) > _CLOSE[0] or abs(yaw_rate) > _CLOSE[1]):
            self._passed_on += 1

    def state(self, steady: float) -> Delivery:
        """Return the state of the delivery now."""
        confirmed = self.trusted or self._passed_on >= _CONFIRMED
        if not confirmed or self.arrived is None or not self._sent:
            return Delivery.UNKNOWN
        if self._replaced:
            return Delivery.REPLACED
        # A robot that is not commanded to move needs no command.
        moves = any(self._sent[-1].command)
        if moves and steady - self._arrived_at > _SILENT:
            return Delivery.SILENT
        return Delivery.ARRIVES


def _within(got: float, sent: list[float], close: float) -> bool:
    low, high = min(sent), max(sent)
    close += _CLOSE_SHARE * max(abs(low), abs(high))
    return low - close <= got <= high + close
