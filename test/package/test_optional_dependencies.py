"""What is not installed is named with the command that installs it; the rest works without."""

import subprocess
import sys

from lstm_predictor.optional_dependencies import missing
import pytest

# Runs an executable of the package as if some packages were not installed.
WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {missing!r}:
            raise ModuleNotFoundError('no module named ' + name, name=name)

sys.meta_path.insert(0, Missing())
from lstm_predictor import entry_points
sys.exit(entry_points.{executable}())
"""


def run(executable, *absent, arguments=()):
    code = WITHOUT.format(missing=list(absent), executable=executable)
    done = subprocess.run([sys.executable, '-c', code, *arguments], capture_output=True,
                          text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize('executable, package', [
    pytest.param('predictor', 'torch', marks=pytest.mark.ros),
    pytest.param('sim', 'mujoco', marks=pytest.mark.ros),
    ('evaluate', 'rosbags'), ('train', 'pytorch_lightning'), ('closed_loop', 'mujoco')])
def test_one_sentence_says_what_is_missing_and_how_to_get_it(executable, package):
    if executable in ('predictor', 'sim'):
        pytest.importorskip('rclpy')
    code, output, errors = run(executable, package)
    assert (code, output) == (1, '')
    assert len(errors.splitlines()) == 1 and errors.startswith(
        f'error: {executable.replace("_", "-")}')
    assert f'needs {package}' in errors and 'pip install' in errors


def test_what_is_no_extra_is_an_error_of_the_package():
    with pytest.raises(ModuleNotFoundError):
        missing(ModuleNotFoundError('no module named own', name='own'), 'anything')
