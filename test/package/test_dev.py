"""./dev from the outside, in copies of its own, so that the environment of the tests stays."""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import numpy
import pytest
import setuptools

ROOT = Path(__file__).parents[2]
NODES = {'predictor', 'replanner', 'command_guard', 'slow_link', 'sim'}
VERBS = set(re.findall(r"'(\S+) = lstm_predictor\.", (ROOT / 'setup.py').read_text())) - NODES


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with all that ./dev reads and a package that says where it runs."""
    for name in ['dev', 'setup.py', 'setup.cfg', 'package.xml']:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / 'requirements', tmp_path / 'requirements')
    shutil.copytree(ROOT / 'resource', tmp_path / 'resource')
    package = tmp_path / 'lstm_predictor'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / 'entry_points.py').write_text(
        'import os, rclpy\n'
        'def demo(): print(rclpy.__file__, os.environ["AMENT_PREFIX_PATH"])\n')
    return tmp_path


@pytest.fixture
def sourced(tmp_path_factory):
    """Return the variables that sourcing a ROS 2 sets; it brings what the package needs."""
    prefix = tmp_path_factory.mktemp('ros')
    for site in {Path(package.__file__).parents[1] for package in (setuptools, numpy)}:
        for path in site.iterdir():
            if path.name.startswith(('numpy', 'setuptools', 'pkg_resources', '_distutils_hack')):
                (prefix / path.name).symlink_to(path)
    (prefix / 'rclpy.py').touch()
    return {
        'AMENT_PREFIX_PATH': str(prefix), 'PYTHONPATH': str(prefix), 'ROS_DISTRO': 'kilted',
        'PYTHON': str(Path(sys.base_prefix, 'bin', 'python3')), 'PIP_NO_INDEX': '1'}


def start(checkout, *arguments, **variables):
    """Start ./dev in `checkout` with no trace of the environment that the tests run in."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ('AMENT_PREFIX_PATH', 'PYTHONPATH', 'ROS_DISTRO', 'PYTHON')}
    return subprocess.Popen(
        ['/bin/sh', str(checkout / 'dev'), *arguments], env={**kept, **variables}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(checkout, *arguments, **variables):
    """Return the exit code, the output and the lines on stderr of ./dev."""
    process = start(checkout, *arguments, **variables)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors.splitlines()


def test_help_lists_every_verb(checkout):
    code, output, errors = run(checkout, 'help')
    assert (code, errors) == (0, [])
    assert set(re.findall(r'^  (\S+)', output, re.M)) == VERBS | {
        'faults', 'soak', 'test', 'help'}


def test_unknown_verb_is_one_line(checkout):
    code, output, errors = run(checkout, 'fly')
    assert (code, output) == (2, '')
    assert errors == ["dev: unknown verb 'fly': ./dev help lists the verbs"]


def test_no_python_is_one_line(checkout, tmp_path_factory):
    tools = tmp_path_factory.mktemp('bin')
    for name in ['cat', 'cksum', 'dirname', 'flock', 'mkdir', 'uname']:
        (tools / name).symlink_to(shutil.which(name))
    code, _, errors = run(checkout, 'demo', PATH=str(tools))
    assert code == 1
    assert errors == ['dev: no Python 3.10 to 3.13 found: install one, or name it in PYTHON']


@pytest.mark.parametrize('name, value', [('ROS_DISTRO', 'foxy'), ('PYTHON', '/bin/false')])
def test_unusable_choice_is_named(checkout, name, value):
    code, _, errors = run(checkout, 'demo', **{name: value})
    assert code == 1
    assert len(errors) == 1 and f'{name}={value}' in errors[0]


def test_what_cannot_be_had_is_named(checkout):
    code, _, errors = run(checkout, 'demo', PIP_NO_INDEX='1', PIP_FIND_LINKS='')
    assert code == 1
    assert any('could not install' in line and '==' in line for line in errors), errors
    assert not (checkout / '.venv' / '.stamp').exists()


def test_sourced_ros_is_used_and_nothing_it_has_installed(checkout, sourced):
    (checkout / 'requirements' / 'common.txt').write_text('numpy==0.1\nsetuptools==0.1\n')
    both = [start(checkout, 'demo', **sourced) for _ in range(2)]
    outcomes = [process.communicate(timeout=120) for process in both]
    for output, errors in outcomes:
        rclpy, prefixes = output.split()
        assert rclpy == f'{sourced["AMENT_PREFIX_PATH"]}/rclpy.py'
        environment, ros = map(Path, prefixes.split(':'))
        assert ros == Path(sourced['AMENT_PREFIX_PATH'])
        assert environment == checkout / '.venv-kilted-sourced'
    assert sum(errors.count('dev: making') for _, errors in outcomes) == 1
    assert not list(environment.glob('lib/python3*/site-packages/numpy*'))
    assert (environment / 'share/lstm_predictor/package.xml').samefile(checkout / 'package.xml')
    assert os.access(environment / 'lib' / 'lstm_predictor' / 'predictor', os.X_OK)

    code, output, errors = run(checkout, 'demo', **sourced)
    assert (code, errors) == (0, []) and output == outcomes[0][0]
