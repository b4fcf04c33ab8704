"""What imports what. The tables are the diagram of the package."""

import subprocess
import sys

from helpers.imports import names_imported, PACKAGE
import pytest

# A part, and the parts it may import beside itself.
MAY_IMPORT = {
    'common': set(),
    'sensor_checks': {'common'},
    'recordings': {'common'},
    'model': {'common'},
    'control': {'common'},
    'simulation': {'common'},
    'baselines': {'common', 'model'},
    'prediction': {'common', 'sensor_checks', 'model', 'baselines', 'control'},
    'training': {'common', 'sensor_checks', 'recordings', 'model', 'baselines', 'simulation'},
    'nodes': {'common', 'sensor_checks', 'recordings', 'model', 'control', 'prediction',
              'simulation', 'paths', 'optional_dependencies'},
    'evaluation': {'common', 'sensor_checks', 'recordings', 'model', 'baselines', 'control',
                   'prediction', 'simulation', 'training', 'nodes', 'paths'},
    'cli': {'common', 'recordings', 'model', 'baselines', 'simulation', 'training',
            'nodes', 'evaluation', 'robot_profiles', 'paths', 'optional_dependencies'},
    'paths': set(),
    'optional_dependencies': set(),
    'robot_profiles': {'common', 'control', 'paths'},
    'gazebo': {'robot_profiles', 'paths'},
    'launch_utils': {'robot_profiles'},  # for the launch files alone
    'entry_points': {'optional_dependencies'},  # the rest by name, once it is known which
}

# A package from outside, and the only parts that may import it.
ONLY_IN = {
    'rclpy': {'nodes', 'cli', 'evaluation'},
    'torch': {'model', 'baselines', 'prediction', 'training', 'nodes', 'evaluation', 'cli'},
    'rosbags': {'recordings'},
    'mujoco': {'simulation'},
    'pytorch_lightning': {'training'},
    'scipy': {'training', 'evaluation'},
    'matplotlib': {'evaluation'},
    'plotly': {'evaluation'},
    'ament_index_python': {'paths', 'launch_utils'},
    'launch': {'launch_utils'},
    'launch_ros': {'launch_utils'},
}

MODULES = [path for path in sorted(PACKAGE.rglob('*.py')) if path != PACKAGE / '__init__.py']


def part_of(path):
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def modules_imported(path):
    """Return the files of this package that the module at `path` imports."""
    return {file for name in names_imported(path) if name[0] == 'lstm_predictor'
            for length in range(2, len(name) + 1)
            if (file := PACKAGE.joinpath(*name[1:length]).with_suffix('.py')).is_file()}


def circle(imports):
    """Return some modules that import each other; none where there is no circle."""
    left = dict(imports)
    while True:
        free = {path for path, used in left.items() if not used & set(left)}
        if not free:
            return sorted(path.relative_to(PACKAGE).as_posix() for path in left)
        for path in free:
            del left[path]


def test_every_part_has_its_row():
    assert {part_of(path) for path in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize('part', MAY_IMPORT)
def test_imports_point_inwards(part):
    outwards = [
        (path.name, '.'.join(name))
        for path in MODULES if part_of(path) == part
        for name in names_imported(path)
        if name[0] == 'lstm_predictor' and set(name[1:2]) - MAY_IMPORT[part] - {part}]
    assert not outwards


def test_parts_do_not_import_each_other():
    above = dict(MAY_IMPORT)
    while free := [part for part, used in above.items() if not used & set(above)]:
        for part in free:
            del above[part]
    assert not above


def test_modules_do_not_import_each_other():
    assert circle({path: modules_imported(path) - {path} for path in MODULES}) == []


def test_a_circle_is_found():
    one, two, three = (PACKAGE / name for name in ('one.py', 'two.py', 'three.py'))
    assert circle({one: {two}, two: {one}, three: {one}}) == ['one.py', 'three.py', 'two.py']


@pytest.mark.parametrize('package', ONLY_IN)
def test_outside_packages_stay_in_their_part(package):
    users = {part_of(path) for path in MODULES
             for name in names_imported(path) if name[0] == package}
    assert users <= ONLY_IN[package]


@pytest.mark.parametrize('module', [
    'control.compensator', 'control.mppi',
    pytest.param('nodes.replanner_node', marks=pytest.mark.ros),
])
def test_replanner_starts_without_torch(module):
    code = f'import sys, lstm_predictor.{module}; print("torch" in sys.modules)'
    assert subprocess.check_output([sys.executable, '-c', code], text=True) == 'False\n'
