"""What a robot can execute of a command: limits of velocity and acceleration, driver steps."""

from lstm_predictor.control.quantizer import Quantizer
from lstm_predictor.control.velocity_limiter import Limits, Triple, VelocityLimiter


class CommandShaper:
    """A velocity limiter followed by a quantizer; the limiter's state is not quantized."""

    def __init__(self, limits: Limits, resolution: Triple) -> None:
        """Start with a robot that stands; `resolution` is that of `Quantizer`."""
        self._limiter = VelocityLimiter(limits)
        self._quantizer = Quantizer(resolution, limits)

    def retune(self, limits: Limits, resolution: Triple) -> None:
        """Change the limits and the resolution, and keep what was sent last."""
        self._limiter.limits = self._quantizer.limits = limits
        self._quantizer.steps = resolution

    def reset(self) -> None:
        """Take the robot as standing, and the next command as the first."""
        self._limiter.reset()
        self._quantizer.reset()

    def clip(self, speed: float, yaw_rate: float) -> tuple[float, float]:
        """Return [m/s], [rad/s] within the bounds of the velocity alone."""
        return self._limiter.clip(speed, yaw_rate)

    def limit(self, speed: float, yaw_rate: float, steady: float) -> tuple[float, float]:
        """Return what may be sent now [m/s], [rad/s] on the way to a requested command."""
        return self._quantizer.quantize(*self._limiter.limit(speed, yaw_rate, steady))

    def brake(self, steady: float) -> tuple[float, float]:
        """Return what may be sent now on the way to zero, not quantized."""
        self._quantizer.reset()
        return self._limiter.limit(0.0, 0.0, steady)

    def zero(self, steady: float) -> tuple[float, float]:
        """Return zero, whatever was sent before."""
        self._quantizer.reset()
        return self._limiter.zero(steady)
