"""Statistics of the recent agreement between one axis of a sensor and the poses."""

import math

_FAST, _SLOW = 0.92, 0.98  # fading of an interval of motion at the next one [-]
_ENOUGH = 8.0  # intervals of motion from which something can be found
_WRONG, _RIGHT = 0.35, 0.1  # mean squared error over squared motion: from where, up to where [-]
_FITS = 0.1  # such an error of an explanation that holds [-]
_EXPLAINS = 0.2  # of the error: what is left by an explanation that decides sooner [-]
_NOTHING = 0.05  # of a motion: less is none [-]
_DEGREES = 180.0 / math.pi


class Agreement:
    """
    One axis of a sensor compared with the poses, over the intervals with motion.

    It is wrong once the errors are large for some seconds of motion, and right again only after
    many more without one. Slip and lag are errors as well, so both bounds are far from them.
    """

    def __init__(self) -> None:
        """Start with a sensor that is right."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.wrong = self.strange = False  # as it is used; in the last seconds
        self.kind = ''
        self.factor = 1.0  # of the sensor's values over those of the poses
        self._fast = [0.0] * 5  # count; error; products: both, of the poses, of the sensor
        self._slow = [0.0] * 2  # count; error
        self._other = 0.0  # error of the other explanation

    @property
    def known(self) -> bool:
        """Whether there was enough motion to decide."""
        return self._fast[0] >= _ENOUGH

    def add(self, true: float, said: float, least: float, other: float | None = None) -> None:
        """
        Take a motion by the poses and by the sensor, in one unit; less than `least` is none.

        `other` is the motion that the sensor would report by another, named explanation.
        """
        most = max(abs(true), abs(said))
        if not least < most < math.inf:
            return
        added = (1.0, _error(true, said), (true / most) * (said / most), (true / most) ** 2,
                 (said / most) ** 2)
        self._fast = [_FAST * old + new for old, new in zip(self._fast, added)]
        self._slow = [_SLOW * old + new for old, new in zip(self._slow, added)]
        if other is not None:
            self._other = _FAST * self._other + _error(other, said)
        self._decide()

    def _decide(self) -> None:
        count, error, *_ = self._fast
        explained = 0.0 < self._other < _EXPLAINS * error
        self.strange = self.known and error > (_RIGHT if explained else _WRONG) * count
        if not self.wrong:
            self.wrong = self.strange
        elif self._slow[1] < _RIGHT * self._slow[0] and self._slow[0] > 4.0 * _ENOUGH and not (
                self.kind == 'other' and self._other < _FITS * count):
            self.wrong, self.kind = False, ''
        if self.strange:
            self._classify()

    def _classify(self) -> None:
        """Classify the error."""
        count, _, both, true, said = self._fast
        self.factor = both / true if true > 0.0 else math.inf
        linear = both ** 2 > (1.0 - _FITS) * true * said
        if said < _NOTHING ** 2 * count:
            self.kind = 'zero'
        elif true < _NOTHING ** 2 * count and abs(self.factor) < 1.0 / _NOTHING:
            self.kind = 'alone'
        elif 0.0 < self._other < _FITS * count:
            self.kind = 'other'
        elif linear and abs(self.factor + 1.0) < 0.3:
            self.kind = 'sign'
        elif linear and abs(abs(self.factor) / _DEGREES - 1.0) < 0.3:
            self.kind = 'degrees'
        else:
            self.kind = 'scale' if linear else 'unlike'


def _error(true: float, said: float) -> float:
    """Return the squared error over the squared motion, at most 1."""
    return min(1.0, ((said - true) / max(abs(true), abs(said), 1e-12)) ** 2)
