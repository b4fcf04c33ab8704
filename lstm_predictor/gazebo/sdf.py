"""The links of a robot as its model file for Gazebo (SDF) has them: place, mass and shape."""

from collections.abc import Iterator
from dataclasses import dataclass
import math
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MASS = 1.0  # of a link that has none by the specification [kg]
_LEVEL = 1e-6  # slope below which a face or an edge lies flat [-]


@dataclass(frozen=True)
class Pose:
    """Where something is within something else."""

    position: Array  # (3,) [m]
    rotation: Array  # (3, 3)

    def __matmul__(self, other: 'Pose') -> 'Pose':
        """Return where something is of which the pose within this one is known."""
        return Pose(self.position + self.rotation @ other.position,
                    self.rotation @ other.rotation)


class Model:
    """The links of a model, in the frame of the model."""

    def __init__(self, model: Element, within: Pose | None = None) -> None:
        """Read an element <model>; ValueError names what is wrong when it is asked for."""
        self._model = model
        self._within = within or Pose(np.zeros(3), np.eye(3))
        self._named = {item.get('name', ''): item for kind in ('link', 'frame', 'joint', 'model')
                       for item in model.iterfind(kind)}

    def links(self) -> Iterator[tuple[str, Pose, Element]]:
        """Yield name, pose and element of every link, those of nested models as well."""
        for link in self._model.iterfind('link'):
            name = link.get('name', '')
            yield name, self._within @ self._pose_of(name), link
        for nested in self._model.iterfind('model'):
            name = nested.get('name', '')
            for inner, pose, link in Model(nested, self._within @ self._pose_of(name)).links():
                yield f'{name}::{inner}', pose, link

    def centre_of_mass(self) -> tuple[float, Array]:
        """Return the mass [kg] and where its centre is (3,) [m], with the defaults of SDF."""
        masses, places = [], []
        for _, pose, link in self.links():
            inertial = link.find('inertial')
            inner = None if inertial is None else inertial.find('pose')
            masses.append(float(link.findtext('inertial/mass') or _MASS))
            places.append((pose @ _read(inner)).position)
        total = math.fsum(masses)
        return total, np.average(np.array(places), axis=0, weights=masses)

    def lowest_points(self, link: str) -> list[Array]:
        """Return where the collisions of a link would touch a floor below them, (3,) each [m]."""
        for name, pose, element in self.links():
            if name == link:
                return [point for collision in element.iterfind('collision')
                        for point in _lowest(pose @ _read(collision.find('pose')), collision)]
        raise ValueError(f'the model has no link {link}')

    def _pose_of(self, name: str, seen: tuple[str, ...] = ()) -> Pose:
        """Return the pose of what has that name in the frame of this model."""
        if name in ('', '__model__'):
            return Pose(np.zeros(3), np.eye(3))
        if name not in self._named or name in seen:
            raise ValueError(f'the pose of {" in ".join((name, *reversed(seen)))} is not known')
        item = self._named[name]
        pose = item.find('pose')
        # where the file does not say: a joint is in its child, a frame in what it is attached to
        default = item.findtext('child', '').strip() if item.tag == 'joint' else \
            item.get('attached_to', '')
        within = default if pose is None else pose.get('relative_to') or default
        return self._pose_of(within, (*seen, name)) @ _read(pose)


def _read(pose: Element | None) -> Pose:
    """Return the pose of an element <pose>; where there is none it is the identity."""
    if pose is None or not (pose.text or '').strip():
        return Pose(np.zeros(3), np.eye(3))
    values = np.array([float(word) for word in (pose.text or '').split()])
    if pose.get('rotation_format', 'euler_rpy') != 'euler_rpy' or len(values) != 6:
        raise ValueError(f'a pose must be x y z roll pitch yaw, is "{(pose.text or "").strip()}"')
    angles = np.radians(values[3:]) if pose.get('degrees') in ('true', '1') else values[3:]
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles), np.sin(angles)
    return Pose(values[:3], np.array([
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr]]))


def _lowest(pose: Pose, collision: Element) -> list[Array]:
    """Return the lowest point of a round shape, or all corners of a box; none of a mesh."""
    down = -pose.rotation[2]  # in the frame of the shape
    down = np.where(np.abs(down) < _LEVEL, 0.0, down)
    shape = collision.find('geometry/*')
    if shape is None:
        return []
    size = {item.tag: np.array([float(word) for word in (item.text or '').split()])
            for item in shape if item.tag in ('size', 'radius', 'length', 'radii')}
    if shape.tag == 'box':
        corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1).T * size['size']
        return [pose.position + pose.rotation @ corner for corner in corners]
    if shape.tag == 'sphere':
        point = size['radius'] * down
    elif shape.tag == 'ellipsoid':
        point = size['radii']**2 * down / np.linalg.norm(size['radii'] * down)
    elif shape.tag in ('cylinder', 'capsule'):
        around = down * (1.0, 1.0, 0.0) if shape.tag == 'cylinder' else down
        length = np.linalg.norm(around)
        point = size['radius'] * around / length if length else np.zeros(3)
        point = point + (0.0, 0.0, 0.5 * size['length'][0] * np.sign(down[2]))
    else:
        return []
    return [pose.position + pose.rotation @ point]
