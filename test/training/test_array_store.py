"""Examples on disk are those that were written, all of them or none."""

from dataclasses import fields, replace

from helpers.imports import names_imported, PACKAGE
from helpers.models import random_examples
from lstm_predictor.model.window import WindowConfig
from lstm_predictor.training import array_store
from lstm_predictor.training.dataset import Examples, join
from lstm_predictor.training.simulated_fleet import FleetConfig
import numpy as np
import pytest

CONFIG, HORIZON = WindowConfig(length=60), 40
PARTS = [random_examples(seed) for seed in range(3)]
WHOLE = join(PARTS)


def write(folder, parts=PARTS):
    array_store.write(folder, iter(parts), CONFIG, HORIZON)
    return array_store.read(folder)


def assert_same(one, other):
    for item in fields(Examples):
        np.testing.assert_array_equal(getattr(one, item.name), getattr(other, item.name))
        assert getattr(one, item.name).dtype == getattr(other, item.name).dtype


def test_what_is_read_is_what_was_written(tmp_path):
    assert_same(write(tmp_path / 'new' / 'examples'), WHOLE)


def test_what_is_read_is_mapped_and_not_loaded(tmp_path):
    found = write(tmp_path / 'examples')
    for item in fields(Examples):
        array = getattr(found, item.name)
        assert isinstance(array, np.memmap) and array.mode == 'r'
    found.release()
    assert_same(found, WHOLE)


def test_no_examples_are_examples_as_well(tmp_path):
    found = write(tmp_path / 'examples', [])
    assert len(found) == 0 and found.windows.shape == (0, 60, WHOLE.windows.shape[2])
    assert found.sha256() == WHOLE[:0].sha256()


def test_nothing_is_read_where_nothing_is(tmp_path):
    assert array_store.read(tmp_path / 'none') is None
    (tmp_path / 'empty').mkdir()
    assert array_store.read(tmp_path / 'empty') is None


def test_files_of_an_older_version_are_not_read(tmp_path):
    for item in fields(Examples):
        (tmp_path / item.name).write_bytes(getattr(WHOLE, item.name).tobytes())
    (tmp_path / 'shapes.json').write_text('{}')
    assert array_store.read(tmp_path) is None
    assert_same(write(tmp_path), WHOLE)


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_is_interrupted_leaves_nothing(tmp_path, error):
    def interrupted():
        yield PARTS[0]
        assert len(list(tmp_path.iterdir())) == 1  # so there is something to clear away
        raise error('in the middle')

    with pytest.raises(error, match='middle'):
        write(tmp_path / 'examples', interrupted())
    assert list(tmp_path.iterdir()) == [] and array_store.read(tmp_path / 'examples') is None


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    def broken():
        yield PARTS[0]
        raise RuntimeError

    write(tmp_path / 'examples')
    with pytest.raises(RuntimeError):
        write(tmp_path / 'examples', broken())
    assert_same(array_store.read(tmp_path / 'examples'), WHOLE)


def test_what_is_written_again_is_replaced(tmp_path):
    write(tmp_path / 'examples')
    assert_same(write(tmp_path / 'examples', PARTS[:1]), PARTS[0])


def test_the_key_knows_the_whole_configuration():
    what = [CONFIG, HORIZON, ('fleet', FleetConfig(), 4.0)]
    others = [
        [replace(CONFIG, rate=10.0), HORIZON, what[2]], [CONFIG, 41, what[2]],
        [CONFIG, HORIZON, ('fleet', FleetConfig(seed=1), 4.0)],
        [CONFIG, HORIZON, ('fleet', FleetConfig(motor_lag=(0.1, 0.2)), 4.0)],
        [CONFIG, HORIZON, ('fleet', FleetConfig(), 2.0)]]
    keys = [array_store.key(each) for each in (what, *others)]
    assert len(set(keys)) == len(keys) and array_store.key(what) == keys[0]


def test_the_key_knows_all_code_that_makes_examples():
    """Whatever the fleet, the recordings and the windows import, and what that imports."""
    known = {path for pattern in array_store._SOURCES for path in PACKAGE.glob(pattern)}
    used, new = set(), {PACKAGE / 'training' / f'{name}.py' for name in (
        'simulated_fleet', 'recorded_tracks', 'dataset')}
    while new:
        used |= new
        new = {path for module in new for name in names_imported(module) for path in (
            PACKAGE.joinpath(*name[1:i]).with_suffix('.py') for i in (2, 3, 4))
            if name[0] == 'lstm_predictor' and path.is_file()} - used
    assert len(used) > 15 and used <= known
