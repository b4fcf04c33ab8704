"""Selects the odometry messages from which to predict: one per step of the grid."""

_EARLY = 0.25  # part of a step of the grid by which a message may come before its step is due


class GridPacing:
    """Picks messages about a step apart, whatever the jitter of their stamps."""

    def __init__(self, step_ns: int, stride: float = 1.0) -> None:
        """Pick messages `stride` steps of the grid [ns] apart."""
        self._step_ns = round(stride * step_ns)
        self._early_ns = _EARLY * step_ns
        self._due_ns: int | None = None

    def take(self, stamp_ns: int) -> bool:
        """Return whether a step is due at a stamp [ns], and count on from there."""
        due_ns = stamp_ns if self._due_ns is None else self._due_ns
        if stamp_ns < due_ns - self._early_ns:
            return False
        # A step later than that has been missed; the next ones are counted from here.
        missed = stamp_ns > due_ns + self._step_ns
        self._due_ns = (stamp_ns if missed else due_ns) + self._step_ns
        return True
