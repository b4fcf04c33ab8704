"""The code keeps to the style of ROS 2 packages (ament_flake8, ament_pep257) and to its types."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]


def check(*command, source=None):
    """Run a checker with the configuration in setup.cfg and return the outcome."""
    return subprocess.run(
        [sys.executable, '-m', *command], cwd=ROOT, input=source, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize('checker', ['flake8', 'pydocstyle', 'mypy'])
def test_no_complaint(checker):
    paths = ['lstm_predictor', 'launch', 'setup.py'] if checker == 'pydocstyle' else []
    result = check(checker, *paths)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize('source, works', [
    (None, True), ('import tomllib\n', False), ('def f(*, a: int | None): ...\n', True)])
def test_python_3_10_of_humble_has_all_that_is_used(tmp_path, source, works):
    paths = ['lstm_predictor', 'launch', 'setup.py']
    if source is not None:
        (tmp_path / 'new.py').write_text(source)
        paths = [str(tmp_path)]
    vermin = Path(sys.executable).with_name('vermin')
    if not vermin.exists():  # it has no rosdep key
        pytest.skip('vermin is not installed')
    result = subprocess.run(
        [vermin, '--target=3.10-', '--no-tips', '--eval-annotations', *paths], cwd=ROOT,
        capture_output=True, text=True)
    assert (result.returncode == 0) == works, result.stdout


@pytest.mark.parametrize('code, source', [
    ('E501', f'x = {"1" * 99}\n'),
    ('I100', 'import sys\nimport ast\n'),
    ('Q000', 'x = "a"\n'),
    ('A001', 'list = 1\n'),
])
def test_flake8_runs_the_plugins_of_ament(code, source):
    assert code in check('flake8', '-', source=source).stdout
