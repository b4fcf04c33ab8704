"""What the planner that tries many commands is told; apart, since `mppi` needs torch."""

from dataclasses import dataclass
import math


@dataclass(frozen=True)
class MppiConfig:
    """How many sequences of what length, and what they cost."""

    batch_size: int = 256  # sequences per cycle
    time_steps: int = 30  # of a sequence
    model_dt: float = 0.05  # of one step [s]
    knots: int = 6  # independent commands in a sequence; between them they are interpolated
    vx_std: float = 0.06  # of the speed of a knot [m/s]
    wz_std: float = 0.5  # of its yaw rate [rad/s]
    temperature: float = 0.08  # of the weights, as a share of the spread of the costs [-]
    path_weight: float = 1.0  # cost of 5 cm beside the place on the path that is due [-]
    heading_weight: float = 0.1  # of 0.3 rad beside its heading [-]
    smooth_weight: float = 0.03  # of a change of the command by its standard deviation [-]
    uncertainty_weight: float = 0.1  # of 5 cm of predicted error [-]
    seed: int = 0  # of the draws

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('batch_size', 'time_steps', 'model_dt', 'knots', 'vx_std', 'wz_std',
                     'temperature'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive and finite, is {getattr(self, name)}')
        if self.seed < 0:
            raise ValueError(f'seed must not be negative, is {self.seed}')
        if not 2 <= self.knots <= self.time_steps:
            raise ValueError(
                f'knots must be 2 to {self.time_steps} (time_steps), is {self.knots}')
        for name in ('path_weight', 'heading_weight', 'smooth_weight', 'uncertainty_weight'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f'{name} must not be negative, is {getattr(self, name)}')
