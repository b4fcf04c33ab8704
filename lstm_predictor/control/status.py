"""What the replanner and the command guard do, as values; a text and a severity go with each."""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Severity(IntEnum):
    """How bad a status is, numbered as in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


class Status(Enum):
    """Base of the enums below: each member is a text and a severity."""

    def __init__(self, text: str, severity: Severity) -> None:
        """Name both parts of the value."""
        self.text = text
        self.severity = severity


class ReplannerStatus(Status):
    """What the command of the replanner is, in any of its modes."""

    # Between a source of velocity commands and the robot.
    IDLE = 'idle: no upstream command yet', Severity.OK
    STOPPED = 'stopped: no fresh upstream command', Severity.WARN
    ZERO_REQUESTED = 'limited upstream command: zero velocity is requested', Severity.OK
    CORRECTED = 'corrected from the prediction', Severity.OK
    UNCORRECTED = 'limited upstream command: no fresh prediction to correct it with', \
        Severity.WARN
    PREDICTION_DISAGREES = \
        'limited upstream command: the prediction disagrees with the odometry', Severity.WARN
    OVERRIDDEN = 'limited upstream command: the robot receives another command', Severity.WARN
    NOT_EXECUTED = 'limited upstream command: the robot does not move as commanded', Severity.WARN
    # On a path.
    NO_PLAN = 'idle: no plan yet', Severity.OK
    NO_PLAN_TO_CANCEL = 'idle: the plan was cancelled before there was one', Severity.OK
    CANCELLED = 'idle: the plan was cancelled', Severity.OK
    PLAN_REJECTED = 'stopped: the newest plan is rejected', Severity.WARN
    NO_ODOMETRY = 'stopped: no fresh odometry', Severity.WARN
    NO_TRANSFORM = 'stopped', Severity.WARN  # the detail is the transform and why
    FOLLOWING = 'following the plan', Severity.OK
    TURNING = 'turning towards the plan', Severity.OK
    AT_GOAL = 'at the goal', Severity.OK
    TOO_FAR = 'stopped: too far from the plan', Severity.WARN
    NO_PROGRESS = 'stopped: no progress', Severity.WARN

    @property
    def is_requested(self) -> bool:
        """Whether anybody has requested motion: before that, no command is published."""
        return self not in (ReplannerStatus.IDLE, ReplannerStatus.NO_PLAN,
                            ReplannerStatus.NO_PLAN_TO_CANCEL)


class Slowdown(Enum):
    """Why the robot drives more slowly than requested or planned."""

    NO_PREDICTION = 'slowly: no fresh prediction to steer by'
    PREDICTION_DISAGREES = 'slowly: the prediction disagrees with the odometry'
    UNCERTAIN_PREDICTION = 'slowed: the prediction is uncertain'


class GuardStatus(Status):
    """What the command guard does."""

    IDLE = 'idle: no command yet', Severity.OK
    PASSING = 'passing commands on', Severity.OK
    STOPPED = 'stopped: no fresh command', Severity.WARN


@dataclass(frozen=True)
class Output:
    """A velocity command and why it is what it is."""

    speed: float  # [m/s]
    yaw_rate: float  # [rad/s]
    status: ReplannerStatus
    detail: str = ''  # of the status, such as a distance
    slowdown: Slowdown | None = None
    slowdown_detail: str = ''  # in place of its text: by how much, and why

    @property
    def text(self) -> str:
        """The status and its details in one line."""
        text = f'{self.status.text}: {self.detail}' if self.detail else self.status.text
        if self.slowdown is None:
            return text
        return f'{text}, {self.slowdown_detail or self.slowdown.value}'

    @property
    def severity(self) -> Severity:
        """How bad it is; at the goal there is nothing that uncertainty could slow down."""
        at_goal = self.status is ReplannerStatus.AT_GOAL
        if self.slowdown is None or \
                at_goal and self.slowdown is Slowdown.UNCERTAIN_PREDICTION:
            return self.status.severity
        return max(self.status.severity, Severity.WARN)
