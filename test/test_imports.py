"""What imports what. The tables are the diagram of the package."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

PACKAGE = Path(__file__).parents[1] / 'lstm_predictor'

# A part, and the parts it may import beside itself. They point inwards, to `core`.
MAY_IMPORT = {
    'core': set(),
    'bags': {'core'},
    'sim': {'core', 'bags'},
    'learning': {'core', 'bags', 'sim'},
    'nodes': {'core', 'bags', 'sim', 'paths', 'extras'},
    'view': {'core', 'bags', 'learning'},
    'cli': {'core', 'bags', 'sim', 'learning', 'nodes', 'view', 'paths', 'profiles', 'extras'},
    'faults': {'core', 'nodes', 'cli', 'paths'},
    'profiles': {'core', 'paths'},
    'gazebo': {'profiles', 'paths'},
    'launching': {'profiles'},  # for the launch files alone
    'extras': set(),
    'paths': set(),
    'start': {'extras'},  # by name, once it is known which
}

# A package from outside, and the only parts that may import it.
ONLY_IN = {
    'rclpy': {'nodes', 'cli', 'faults'},
    'rosbags': {'bags'},
    'mujoco': {'sim'},
    'pytorch_lightning': {'learning'},
    'scipy': {'faults', 'learning'},
    'matplotlib': {'learning'},
    'plotly': {'view'},
    'ament_index_python': {'paths', 'launching'},
    'launch': {'launching'},
    'launch_ros': {'launching'},
}

MODULES = [path for path in sorted(PACKAGE.rglob('*.py')) if path != PACKAGE / '__init__.py']


def part_of(path):
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def names_imported(path):
    """Return the full name of everything that the module at `path` imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno}: write the import in full'
            names += [f'{node.module}.{alias.name}' for alias in node.names]
    return [name.split('.') for name in names]


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


@pytest.mark.parametrize('package', ONLY_IN)
def test_outside_packages_stay_in_their_part(package):
    users = {part_of(path) for path in MODULES
             for name in names_imported(path) if name[0] == package}
    assert users <= ONLY_IN[package]


@pytest.mark.parametrize('module', [
    'core.replanner',
    pytest.param('nodes.replanner_node', marks=pytest.mark.ros),
])
def test_replanner_starts_without_torch(module):
    code = f'import sys, lstm_predictor.{module}; print("torch" in sys.modules)'
    assert subprocess.check_output([sys.executable, '-c', code], text=True) == 'False\n'
