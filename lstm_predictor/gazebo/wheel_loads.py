"""
What each wheel of a robot carries, by moments.

A robot on two wheels leans about their axle to the side of its centre of mass until something
touches the floor: its caster or casters. Of the forces on all that touch, the weight and its two
moments settle three; more than three are shared as springs of one stiffness would share them,
which is the solution with the least sum of squares. A caster that would have to pull carries
nothing.
"""

from lstm_predictor.gazebo.sdf import Array, Model

import numpy as np

_SETTLED = 0.0005  # gap below which something touches as well [m]
_AT_AXLE = 0.001  # from the axle, within which nothing props the robot up [m]


def wheel_loads(model: Model, wheels: list[str], gravity: float) -> list[float]:
    """Return the load of each wheel [N]; ValueError names a wheel that carries nothing."""
    mass, centre = model.centre_of_mass()
    axle = np.array([_contact(model, wheel) for wheel in wheels])  # (wheels, 3) [m]
    others = [point for name, _, _ in model.links() if name not in wheels
              for point in model.lowest_points(name)]
    touching = np.array([*axle, *_props(axle, centre, others)])  # (contacts, 3)
    forces = mass * gravity * _shares(touching[:, :2], centre[:2])
    for wheel, force in zip(wheels, forces):
        if force <= 0.0:
            raise ValueError(f'{wheel} carries nothing: the centre of mass lies at x = '
                             f'{centre[0]:.3f} m, y = {centre[1]:.3f} m')
    return [float(force) for force in forces[:len(wheels)]]


def _contact(model: Model, wheel: str) -> Array:
    points = model.lowest_points(wheel)
    if not points:
        raise ValueError(f'{wheel} has no collision that is a cylinder, a sphere or the like')
    return min(points, key=lambda point: float(point[2]))


def _props(axle: Array, centre: Array, points: list[Array]) -> list[Array]:
    """Return on which points a robot comes to rest that leans over its wheels' contacts."""
    ahead = centre[0] > axle[:, 0].mean()
    edge = axle[np.argmax(axle[:, 0] if ahead else -axle[:, 0])]  # over which it would lean
    side = 1.0 if ahead else -1.0
    if side * (centre[0] - edge[0]) <= 0.0:  # it stands on its wheels alone
        return []
    levers = [(side * float(point[0] - edge[0]), float(point[2] - edge[2]), point)
              for point in points]  # beyond the edge, above the wheels [m]
    levers = [lever for lever in levers if lever[0] > _AT_AXLE]
    if not levers:
        return []
    slope = min(height / reach for reach, height, _ in levers)
    return [point for reach, height, point in levers if height - slope * reach < _SETTLED]


def _shares(contacts: Array, centre: Array) -> Array:
    """Return which share of the weight each contact (n, 2) carries (n,)."""
    carrying = np.arange(len(contacts))
    while True:
        moments = np.vstack([np.ones(len(carrying)), (contacts[carrying] - centre).T])
        # contacts in one line hold no moment about it: such a robot is balanced by its motors
        held = [True, *(np.ptp(contacts[carrying], axis=0) > _AT_AXLE)]
        shares = np.linalg.lstsq(
            moments[held], np.array([1.0, 0.0, 0.0])[held], rcond=None)[0]
        if len(carrying) <= 2 or (shares >= -1e-9).all():
            break
        carrying = carrying[shares >= -1e-9]
    result = np.zeros(len(contacts))
    result[carrying] = shares
    return result
