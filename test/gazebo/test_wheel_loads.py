"""What each wheel carries, from the poses, masses and shapes that a model file says."""

import math
from xml.etree import ElementTree

from lstm_predictor.gazebo.sdf import Model
from lstm_predictor.gazebo.wheel_loads import wheel_loads

import numpy as np

import pytest

LEFT, RIGHT = 'left', 'right'
WEIGHT = 10.0  # of the robots below [N], at 10 m/s^2


def link(name, pose='0 0 0 0 0 0', mass=0.0, shape='', inner='0 0 0 0 0 0', attributes=''):
    """Return a link with its mass and one collision, both at a pose within it."""
    collision = f'<collision name="c"><pose>{inner}</pose><geometry>{shape}</geometry>' \
                '</collision>' if shape else ''
    return f'<link name="{name}"><pose {attributes}>{pose}</pose><inertial><pose>{inner}</pose>' \
           f'<mass>{mass}</mass></inertial>{collision}</link>'


def wheel(name, x, y, roll=-0.5 * math.pi, radius=0.03):
    return link(name, f'{x} {y} {radius} {roll!r} 0 0',
                shape=f'<cylinder><radius>{radius}</radius><length>0.02</length></cylinder>')


def ball(name, x, y, radius=0.01, height=0.0):
    return link(name, f'{x} {y} {radius + height} 0 0 0',
                shape=f'<sphere><radius>{radius}</radius></sphere>')


def model(*links):
    return Model(ElementTree.fromstring(f'<model name="robot">{"".join(links)}</model>'))


def body(x, y=0.0, mass=1.0):
    return link('body', mass=mass, inner=f'{x} {y} 0.05 0 0 0')


PAIR = (wheel(LEFT, 0.0, 0.1), wheel(RIGHT, 0.0, -0.1))


@pytest.mark.parametrize('links, loads', [
    # a caster 0.2 m behind the axle takes the share of the distance
    ([body(-0.05), ball('caster', -0.2, 0.0)], (3.75, 3.75)),
    ([body(0.05), ball('caster', 0.2, 0.0)], (3.75, 3.75)),
    # that hangs a little above the floor, or stands a little below the wheels
    ([body(-0.05), ball('caster', -0.2, 0.0, height=0.002)], (3.75, 3.75)),
    ([body(-0.05), ball('caster', -0.2, 0.0, height=-0.002)], (3.75, 3.75)),
    # the heavier side carries more
    ([body(-0.05, 0.02), ball('caster', -0.2, 0.0)], (4.75, 2.75)),
    # of a caster before and one behind, the one that it leans to
    ([body(-0.05), ball('back', -0.2, 0.0), ball('front', 0.1, 0.0)], (3.75, 3.75)),
    # two casters: by moments together, sideways as springs: 0.2 N m over 2 * (0.1^2 + 0.05^2)
    ([body(-0.05, 0.02), ball('a', -0.2, 0.05), ball('b', -0.2, -0.05)], (4.55, 2.95)),
    # two casters of which one would have to pull: the other carries it
    ([body(-0.02, 0.05), ball('a', -0.2, 0.08), ball('b', -0.2, -0.08)], (6.6, 2.4)),
    # the edge of a box that it comes to rest on, not the middle of the box
    ([link('body', '0 0 0.03 0 0 0', 1.0, '<box><size>0.4 0.1 0.02</size></box>',
           inner='-0.05 0 0 0 0 0')], (4.0, 4.0)),
    # nothing props it up: it is balanced by its motors
    ([body(-0.05)], (5.0, 5.0)), ([body(0.0), ball('caster', -0.2, 0.0)], (5.0, 5.0))])
def test_loads_are_by_moments(links, loads):
    assert wheel_loads(model(*PAIR, *links), [LEFT, RIGHT], 10.0) == pytest.approx(loads)


def test_four_wheels_share_as_springs_do():
    names = ['fl', 'fr', 'bl', 'br']
    wheels = [wheel(name, x, y) for name, (x, y) in zip(names, (
        (0.2, 0.1), (0.2, -0.1), (-0.2, 0.1), (-0.2, -0.1)))]
    high = ball('high', -0.5, 0.0, height=0.02)
    loads = wheel_loads(model(*wheels, body(0.05, 0.02), high), names, 10.0)
    assert loads == pytest.approx([3.625, 2.625, 2.375, 1.375])
    assert sum(loads) == pytest.approx(WEIGHT)


REAR = '<frame name="rear"><pose>-0.2 0 0 0 0 0</pose></frame>'


def placed(caster, x, attributes):
    """Return a caster at another x, relative to something else or in other units."""
    return caster.replace('-0.2 ', x).replace('<pose >', f'<pose {attributes}>')


@pytest.mark.parametrize('place', [
    # the same caster and the same body, said in other ways
    lambda caster, heavy: caster + heavy,
    lambda caster, heavy: placed(caster, '-0.2 ', 'degrees="true"').replace('0 0 0<', '0 0 90<')
    + heavy,
    lambda caster, heavy: link('arm', '-0.1 0 0 0 0 0')
    + placed(caster, '-0.1 ', 'relative_to="arm"') + heavy,
    lambda caster, heavy: REAR + placed(caster, '0 ', 'relative_to="rear"') + heavy,
    lambda caster, heavy: REAR + '<frame name="at" attached_to="rear"/>'
    + placed(caster, '0 ', 'relative_to="at"') + heavy,
    lambda caster, heavy: caster + '<model name="top"><pose>-0.05 0 0 0 0 3</pose>'
    + heavy.replace('-0.05', '0') + '</model>'])
def test_poses_count_wherever_they_are_said(place):
    links = place(ball('caster', -0.2, 0.0), body(-0.05))
    loads = wheel_loads(model(*PAIR, links), [LEFT, RIGHT], 10.0)
    assert loads == pytest.approx((3.75, 3.75))


def test_link_without_inertial_weighs_what_sdf_says():
    mass, centre = Model(ElementTree.fromstring(
        '<model name="m"><link name="a"/><link name="b"><pose>1 0 0 0 0 0</pose></link>'
        '</model>')).centre_of_mass()
    assert mass == 2.0
    np.testing.assert_allclose(centre, (0.5, 0.0, 0.0))


@pytest.mark.parametrize('shape, rotation, lowest', [
    ('<sphere><radius>0.1</radius></sphere>', '1 2 3', (0.0, 0.0, -0.1)),
    ('<ellipsoid><radii>0.3 0.2 0.1</radii></ellipsoid>', f'{math.pi / 2} 0 0', (0, 0, -0.2)),
    ('<capsule><radius>0.1</radius><length>0.4</length></capsule>', '0 0 0', (0, 0, -0.3)),
    ('<cylinder><radius>0.1</radius><length>0.4</length></cylinder>', '0 0 0', (0, 0, -0.2)),
    ('<cylinder><radius>0.1</radius><length>0.4</length></cylinder>', '-1.57 0 0',
     (0.0, -0.2, -0.1)),
    ('<cylinder><radius>0.1</radius><length>0.4</length></cylinder>', '-1.57079632679 0 0',
     (0.0, 0.0, -0.1))])
def test_lowest_point_of_a_shape(shape, rotation, lowest):
    point, = model(link('a', f'0 0 0 {rotation}', shape=shape)).lowest_points('a')
    np.testing.assert_allclose(point, lowest, atol=2e-4)


@pytest.mark.parametrize('links, reason', [
    ([*PAIR, body(-0.3), ball('caster', -0.2, 0.0)], 'left carries nothing: .* x = -0.300 m'),
    ([wheel(LEFT, 0.0, 0.1), body(0.0)], 'no link right'),
    ([wheel(LEFT, 0.0, 0.1), link(RIGHT, '0 -0.1 0 0 0 0'), body(0.0)],
     'right has no collision that is a cylinder'),
    ([*PAIR, body(0.0), link('a', '0 0', 1.0)], 'a pose must be x y z roll pitch yaw, is "0 0"'),
    ([*PAIR, body(0.0), link('a', attributes='relative_to="nowhere"')],
     'the pose of nowhere in a is not known'),
    ([*PAIR, link('a', attributes='relative_to="b"'), link('b', attributes='relative_to="a"')],
     'the pose of a in b in a is not known')])
def test_what_cannot_be_worked_out_is_named(links, reason):
    with pytest.raises(ValueError, match=reason):
        wheel_loads(model(*links), [LEFT, RIGHT], 10.0)
