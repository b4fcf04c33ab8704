"""Uncertainty-based speed scaling: slower where the predicted lateral error is large."""

from dataclasses import dataclass
import math

from lstm_predictor.common.checks import require_positive, require_range

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SpeedScalingConfig:
    """Threshold, least scale and recovery."""

    lateral_std_threshold: float = 0.03  # predicted across the heading; beyond, it slows down [m]
    min_speed_scale: float = 0.3  # of the speed, however uncertain the prediction is [-]
    speed_scale_time_constant: float = 0.5  # with which the scale recovers [s]

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        require_positive(self, 'lateral_std_threshold', 'min_speed_scale',
                         'speed_scale_time_constant')
        require_range(self, 0.0, 1.0, 'min_speed_scale')


class SpeedScaling:
    """Scale of the speed by the covariance of the newest prediction."""

    def __init__(self, config: SpeedScalingConfig) -> None:
        """Start with a scale of 1."""
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget every prediction; the scale is 1."""
        self.share = 1.0  # [-]
        self.across = 0.0  # standard deviation across the heading [m]
        self._at: float | None = None  # [s] steady

    def update(self, yaw: float, covariance: Array, steady: float) -> None:
        """
        Take the predicted heading [rad] and covariance [x, y, yaw] (3, 3), at `steady` [s].

        A covariance that is invalid, or zero, which means unknown, gives the least scale.
        """
        aside = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
        with np.errstate(all='ignore'):
            variance = float(aside @ covariance @ aside)
        rounding = 1e-9 * abs(float(covariance[0, 0]) + float(covariance[1, 1]))
        known = -rounding <= variance < math.inf and rounding < math.inf and covariance.any()
        self.across = math.sqrt(max(variance, 0.0)) if known else math.inf
        wanted = min(1.0, self.config.lateral_std_threshold / max(self.across, 1e-9))
        wanted = max(self.config.min_speed_scale, wanted)
        passed = math.inf if self._at is None else max(0.0, steady - self._at)
        self._at = steady
        # Slower at once, faster only little by little: errors come in bursts.
        stays = math.exp(-passed / self.config.speed_scale_time_constant)
        self.share = wanted if wanted < self.share else wanted + (self.share - wanted) * stays

    def expire(self, steady: float, timeout: float) -> None:
        """Reset the scale where the last prediction is older than a time [s]."""
        if self._at is not None and steady - self._at > timeout:
            self.reset()

    @property
    def reason(self) -> str:
        """Return why the robot is slowed down; empty where it is not."""
        if self.share >= 0.995:  # which rounds to all of it
            return ''
        why = f'predicted error across the path {self.across:.3f} m' \
            if self.across < math.inf else 'the prediction has no usable covariance'
        return f'slowed to {100.0 * self.share:.0f} %: {why}'
