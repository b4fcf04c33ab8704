"""Plans of simple shapes, and any plan."""

import math

from hypothesis import strategies as st
from lstm_predictor.control.plan import Plan
import numpy as np

coordinates = st.floats(-3.0, 3.0)


def plan_of(points):
    """Return the plan through points (n, 2), each looking to the next."""
    points = np.asarray(points, dtype=float)
    ahead = np.diff(points, axis=0, append=2.0 * points[-1:] - points[-2:-1])
    return Plan(np.column_stack([points, np.arctan2(ahead[:, 1], ahead[:, 0])]))


def circle(radius, turns=1.0, side=1.0):
    """Return the plan around a circle that starts at the origin along x and bends to a side."""
    angle = np.linspace(0.0, turns * math.tau, 401)
    return plan_of(radius * np.column_stack([np.sin(angle), side * (1.0 - np.cos(angle))]))


def winding(side=1.0):
    """Return the plan along an S, from the origin along x."""
    x = np.linspace(0.0, 3.0, 301)
    return plan_of(np.column_stack([x, 0.2 * side * (1.0 - np.cos(math.tau * x / 1.5))]))


def eight(size=1.0):
    """Return the plan along a lying 8 that starts at its crossing: right loop, left loop."""
    angle = np.linspace(0.0, math.tau, 801)
    return plan_of(size * np.column_stack([np.sin(angle), np.sin(angle) * np.cos(angle)]))


def apart(points):
    return np.hypot(*np.diff(points, axis=0).T).min() > 0.01


# Any plan; and one that goes on along x, so that no part of it is near another.
plans = st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=8) \
    .map(np.array).filter(apart).map(plan_of)
