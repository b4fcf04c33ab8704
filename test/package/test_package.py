"""The package as colcon and rosdep see it."""

import ast
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

from catkin_pkg.package import parse_package
import pytest

ROOT = Path(__file__).parents[2]

# rosdep's key of a module that is not named like it; None where there is none on every platform.
ROSDEP_KEY = {
    'matplotlib': 'python3-matplotlib',
    'mujoco': None,
    'numpy': 'python3-numpy',
    'plotly': None,
    'pytorch_lightning': None,
    'rosbags': None,
    'scipy': 'python3-scipy',
    'tf2_ros': 'tf2_ros_py',
    'torch': None,
    'tqdm': 'python3-tqdm',
    'yaml': 'python3-yaml',
}
# The same for what only tests need. All were looked up in rosdistro for Ubuntu 22.04, 24.04 and
# 26.04: a key that rosdep does not know ends the installation.
ROSDEP_KEY_OF_TESTS = {
    'flake8': 'python3-flake8',
    'hypothesis': 'python3-hypothesis',
    'mypy': 'python3-mypy',
    'pydocstyle': 'pydocstyle',
    'pytest': 'python3-pytest',
    'pytest-timeout': 'python3-pytest-timeout',
}


def colcon(workspace, *arguments):
    """Run colcon in `workspace` and return what it prints."""
    result = subprocess.run(
        ['colcon', *arguments], cwd=workspace, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, 'COLCON_HOME': str(workspace / '.colcon')})
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    """Return a colcon workspace with a copy of this package, built."""
    workspace = tmp_path_factory.mktemp('workspace')
    shutil.copytree(ROOT, workspace / 'src', ignore=shutil.ignore_patterns(
        '.*', '__pycache__', '*.egg-info', 'build', 'install', 'log', 'out'))
    colcon(workspace, 'build')
    return workspace


def modules_imported():
    """Return the outermost names of what the package and its launch files import."""
    names = set()
    for path in [*ROOT.glob('lstm_predictor/**/*.py'), *ROOT.glob('launch/*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'lstm_predictor'}


def test_package_xml_is_valid():
    warnings = []
    package = parse_package(ROOT, warnings=warnings)
    assert not warnings
    assert package.package_format == 3
    assert package.get_build_type() == 'ament_python'


def test_one_version_everywhere():
    setup = subprocess.run([sys.executable, 'setup.py', '--version'], cwd=ROOT,
                           capture_output=True, text=True).stdout.split()[-1]
    changelog = re.search(r'^(\d+\.\d+\.\d+)\b', (ROOT / 'CHANGELOG.rst').read_text(), re.M)
    assert parse_package(ROOT).version == setup == changelog[1]


def test_dependencies_are_the_imports():
    used = {ROSDEP_KEY.get(name, name) for name in modules_imported()} - {None}
    assert sorted(depend.name for depend in parse_package(ROOT).exec_depends) == sorted(used)


def test_what_tests_need_is_named_as_rosdep_knows_it():
    pinned = (ROOT / 'requirements/common.txt').read_text()
    assert all(f'\n{name}==' in pinned for name in ROSDEP_KEY_OF_TESTS)
    assert sorted(depend.name for depend in parse_package(ROOT).test_depends) == \
        sorted(['lifecycle_msgs', *ROSDEP_KEY_OF_TESTS.values()])


def test_colcon_takes_it_for_a_ros_package(workspace):
    assert colcon(workspace, 'list') == 'lstm_predictor\tsrc\t(ros.ament_python)\n'


def test_colcon_installs_what_ros2_looks_for(workspace):
    prefix = workspace / 'install' / 'lstm_predictor'
    scripts = re.findall(r"'(\S+) = lstm_predictor\.", (ROOT / 'setup.py').read_text())
    assert {path.name for path in (prefix / 'lib' / 'lstm_predictor').iterdir()} == set(scripts)
    assert (prefix / 'share/ament_index/resource_index/packages/lstm_predictor').is_file()


@pytest.mark.parametrize('folder, pattern, destination', [
    ('launch', '*.launch.py', 'share/lstm_predictor/launch'),
    ('config', '*.yaml', 'share/lstm_predictor/config'),
    ('config', '*.xml', 'share/lstm_predictor/config'),
    ('config', '*.json', 'share/lstm_predictor/config'),
    ('config/rviz', '*.rviz', 'share/lstm_predictor/config/rviz'),
    ('config/robots', '*.yaml', 'share/lstm_predictor/config/robots'),
    ('config/worlds', '*.sdf', 'share/lstm_predictor/config/worlds'),
    ('models', '*', 'share/lstm_predictor/models'),
    ('lstm_predictor', '**/*.py', 'lib/python3*/site-packages/lstm_predictor'),
    ('lstm_predictor', '**/*.xml', 'lib/python3*/site-packages/lstm_predictor'),
])
def test_colcon_installs_every_file(workspace, folder, pattern, destination):
    source = workspace / 'src' / folder
    installed, = workspace.glob(f'install/lstm_predictor/{destination}')
    wanted = {path.relative_to(source) for path in source.glob(pattern)}
    assert wanted
    assert wanted <= {path.relative_to(installed) for path in installed.rglob('*')}


def test_colcon_runs_the_tests(workspace):
    # One module's examples stand for the suite, which would get here again.
    colcon(workspace, 'test', '--pytest-args', 'lstm_predictor/common/se2.py')
    summary = colcon(workspace, 'test-result', '--all')
    assert re.search(r'^Summary: [1-9]\d* tests?, 0 errors, 0 failures', summary, re.M), summary
