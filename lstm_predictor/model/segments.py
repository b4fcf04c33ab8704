"""
Segments of the horizon, and paths along it.

The future is divided into segments of growing length; a twist is constant in each. What a
predictor says of the future is a path: forward, left and turn, each summed up to the end of every
segment, (..., 3, S) in [m], [m], [rad]. Such paths are linear in the twists, so that they can be
averaged, compared and corrected; poses follow by integration on SE(2).
"""

import torch
from torch import Tensor

ENDS = (1, 2, 4, 7, 10, 15, 20, 26, 33, 40)  # of the segments, in steps of the grid
HORIZON = ENDS[-1]  # steps
STARTS = (0, *ENDS[:-1])


def averaging() -> Tensor:
    """Return the matrix (S, H) that makes means over the segments of values at each step."""
    result = torch.zeros(len(ENDS), HORIZON)
    for i, (start, end) in enumerate(zip(STARTS, ENDS)):
        result[i, start:end] = 1.0 / (end - start)
    return result


def lengths() -> Tensor:
    """Return the number of steps in each segment (S,)."""
    return torch.tensor(ENDS, dtype=torch.float32) - torch.tensor(STARTS, dtype=torch.float32)


def integrate(twists: Tensor, duration: Tensor) -> Tensor:
    """
    Return the poses (B, T, 3) after constant twists (B, T, 3), each for a `duration` (T,) [s].

    Twists are forward [m/s], left [m/s], turn [rad/s] in the body frame; exact for constant ones.
    """
    moved = twists * duration.unsqueeze(1)
    turn = moved[:, :, 2]
    yaw = turn.cumsum(dim=1)
    middle = yaw - 0.5 * turn
    # The chord of an arc: its length times sin(turn / 2) / (turn / 2), at the middle heading.
    chord = torch.special.sinc(0.5 / torch.pi * turn)
    forward, left = moved[:, :, 0] * chord, moved[:, :, 1] * chord
    cos, sin = middle.cos(), middle.sin()
    return torch.stack([(forward * cos - left * sin).cumsum(dim=1),
                        (forward * sin + left * cos).cumsum(dim=1), yaw], dim=2)
