"""Uncertainty costs speed: who does not know where the robot will be drives more slowly."""

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CautionConfig:
    """How much predicted error is as good as none, and how slow it gets at most."""

    free_std_across: float = 0.03  # of the predicted pose across its heading; no slower [m]
    min_speed_share: float = 0.3  # of the speed that is left however unsure it is [-]
    caution_memory: float = 0.5  # over which the share is smoothed [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('free_std_across', 'caution_memory'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f'{name} must be positive and finite, is {getattr(self, name)}')
        if not 0.0 < self.min_speed_share <= 1.0:
            raise ValueError(
                f'min_speed_share must lie between 0 and 1, is {self.min_speed_share}')


class Caution:
    """The share of the speed that the newest prediction leaves."""

    def __init__(self, config: CautionConfig) -> None:
        """Start without a doubt."""
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget every prediction."""
        self.share = 1.0  # [-]
        self.across = 0.0  # standard deviation across the heading [m]
        self._at: float | None = None  # [s] steady

    def see(self, yaw: float, covariance: Array, steady: float) -> None:
        """
        Take the predicted heading [rad] and covariance [x, y, yaw] (3, 3), at `steady` [s].

        What is not a covariance is as unsure as can be, and zeros mean that nobody knows it.
        """
        aside = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
        with np.errstate(all='ignore'):
            variance = float(aside @ covariance @ aside)
        rounding = 1e-9 * abs(float(covariance[0, 0]) + float(covariance[1, 1]))
        known = -rounding <= variance < math.inf and rounding < math.inf and covariance.any()
        self.across = math.sqrt(max(variance, 0.0)) if known else math.inf
        wanted = min(1.0, self.config.free_std_across / max(self.across, 1e-9))
        wanted = max(self.config.min_speed_share, wanted)
        passed = math.inf if self._at is None else max(0.0, steady - self._at)
        self._at = steady
        # Slower at once, faster only little by little: errors come in bursts.
        stays = math.exp(-passed / self.config.caution_memory)
        self.share = wanted if wanted < self.share else wanted + (self.share - wanted) * stays

    def expire(self, steady: float, timeout: float) -> None:
        """Forget what was seen where the last look is older than a time [s]."""
        if self._at is not None and steady - self._at > timeout:
            self.reset()

    @property
    def reason(self) -> str:
        """Return why it is slower, in words; nothing where it is not."""
        if self.share >= 0.995:  # which rounds to all of it
            return ''
        why = f'predicted error across the path {self.across:.3f} m' \
            if self.across < math.inf else 'nobody knows how sure the prediction is'
        return f'slowed to {100.0 * self.share:.0f} %: {why}'
