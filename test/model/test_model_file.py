"""A model file is what was trained, or it is refused in one line that names it."""

from dataclasses import asdict, fields, replace
import functools
import hashlib
import json
import os
from pathlib import Path
import random
import shutil
import stat
import time
from types import SimpleNamespace

from helpers.models import golden_inputs, motion_model, small_contract
from lstm_predictor.model import file_permissions
from lstm_predictor.model.contract import Contract
from lstm_predictor.model.model_file import (
    file_sha256, load, LoadedModel, ModelFileError, open_commands, save)
from lstm_predictor.model.network import MotionModel
from lstm_predictor.model.window import FEATURE, FEATURES
import numpy as np
import pytest
import torch
from torch import nn

SHIPPED = sorted((Path(__file__).parents[2] / 'models').glob('*.pt'))
ROWS, HORIZON = 28, 22
CONTRACT = small_contract(window=ROWS, shortest=20, horizon=HORIZON, scores={'a': 1.0},
                          classical={'ekf': {'delay': 0.1}})
WINDOW, COMMANDS = golden_inputs(CONTRACT)

pytestmark = pytest.mark.usefixtures('one_thread')


def model_of(hidden=8):
    return motion_model(hidden=hidden, rows=5, horizon=HORIZON, prior_spread=0.1)


@functools.cache
def scripted(kind):
    return torch.jit.script(model_of() if kind is MotionModel else kind())


def save_raw(path, contract, kind=MotionModel):
    """Write an archive with any contract, past the checks of `save`."""
    extra = {} if contract is None else {'contract.json': contract}
    torch.jit.save(scripted(kind), str(path), _extra_files=extra)


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """Return a good model file and its contract; a test that changes it makes a copy."""
    path = tmp_path_factory.mktemp('model') / 'good.pt'
    return path, save(path, model_of(), CONTRACT, WINDOW, COMMANDS)


def assert_refused(path, *words, **options):
    with pytest.raises(ModelFileError) as refused:
        load(path, **options)
    text = str(refused.value)
    assert len(text.splitlines()) == 1 and str(path) in text
    for word in words:
        assert word in text


class Sum(nn.Module):

    def forward(self, x):
        return x + 1.0


class TwoFaced(nn.Module):
    """Predicts something else when it is scripted."""

    def __init__(self):
        super().__init__()
        self.model = model_of()

    def forward(self, window, commands):
        poses, factors = self.model(window, commands)
        if torch.jit.is_scripting():
            poses = poses + 0.01
        return poses, factors


def test_what_is_loaded_is_what_was_saved(saved):
    path, contract = saved
    loaded = load(path)
    assert loaded.contract == contract
    assert asdict(replace(loaded.contract, golden={})) == asdict(CONTRACT)
    window, commands = 2.0 * WINDOW, 0.5 * COMMANDS
    for one, other in zip(loaded.predict(window, commands),
                          LoadedModel(model_of(), CONTRACT).predict(window, commands)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_what_is_loaded_learns_as_what_was_saved(saved):
    """The same memory of the same windows, and with it the same predictions."""
    loaded, eager = load(saved[0]), LoadedModel(model_of(), CONTRACT)
    memory = loaded.initial_state()
    assert memory.shape == eager.initial_state().shape and not memory.any()
    for rows in (ROWS, 3, 1):
        one, other = (each.learn(WINDOW[:1], rows, memory) for each in (loaded, eager))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        assert one.shape == memory.shape and (one[..., 3] > memory[..., 3]).all()
        memory = one
    informed = loaded.predict(WINDOW[1:], COMMANDS[1:], memory)
    for one, other in zip(informed, eager.predict(WINDOW[1:], COMMANDS[1:], memory)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert np.abs(informed[0] - loaded.predict(WINDOW[1:], COMMANDS[1:])[0]).max() > 1e-4
    timing = loaded.timing(WINDOW[1:], memory)
    assert timing == pytest.approx(eager.timing(WINDOW[1:], memory), rel=1e-4)
    assert timing != pytest.approx(loaded.timing(WINDOW[1:], loaded.initial_state()), rel=1e-4)


class WithoutAdvance(nn.Module):
    """An archive of the same schema from before it computed all of a step at once."""

    def __init__(self):
        super().__init__()
        self.model = model_of()
        self.step = self.model.step

    def forward(self, window, commands):
        return self.model(window, commands)

    @torch.jit.export
    def learn(self, window, rows, memory):
        return self.model.learn(window, rows, memory)

    @torch.jit.export
    def informed(self, window, commands, memory):
        return self.model.informed(window, commands, memory)

    @torch.jit.export
    def timing(self, window, memory):
        return self.model.timing(window, memory)


@pytest.mark.parametrize('kind', [MotionModel, WithoutAdvance])
def test_one_step_of_a_robot_is_learning_predicting_and_timing(kind):
    model = LoadedModel(torch.jit.script(model_of() if kind is MotionModel else kind()), CONTRACT)
    memory = LoadedModel(model_of(), CONTRACT).initial_state()
    advanced = model.step(memory, WINDOW[:1], 3)
    learned = model.learn(WINDOW[:1], 3, memory)
    poses, factors = model.predict(
        WINDOW[:1], open_commands(1, CONTRACT.horizon), learned)
    for one, other in ((advanced.poses, poses[0]), (advanced.factors, factors[0]),
                       (advanced.timing, model.timing(WINDOW[:1], learned)),
                       (advanced.state, learned)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    broken = np.full_like(WINDOW[:1], np.inf)
    np.testing.assert_array_equal(model.step(memory, broken, 3).state, memory)


def test_the_first_live_predictions_cost_as_much_as_those_after_them(saved):
    """Without a warm-up they cost ten times as much: TorchScript specialises in them."""
    loaded = load(saved[0])
    state, spent = loaded.initial_state(), []
    for _ in range(30):
        begin = time.process_time()
        state = loaded.step(state, WINDOW[1:], 1).state
        spent.append(time.process_time() - begin)
    assert max(spent[:2]) < 4.0 * np.median(spent[5:])


def test_without_a_memory_it_predicts_for_a_robot_that_it_does_not_know(saved):
    loaded = load(saved[0])
    blank = np.concatenate([loaded.initial_state()] * len(WINDOW))
    for one, other in zip(loaded.predict(WINDOW, COMMANDS),
                          loaded.predict(WINDOW, COMMANDS, blank)):
        np.testing.assert_array_equal(one, other)


def test_the_archive_loads_without_this_package(saved):
    poses, factors = torch.jit.load(str(saved[0]))(
        torch.tensor(WINDOW, dtype=torch.float32), torch.tensor(COMMANDS, dtype=torch.float32))
    assert poses.shape == (2, HORIZON, 3) and factors.shape == (2, HORIZON, 3, 3)


def test_the_contract_gives_the_window_of_a_robot(saved):
    window = load(saved[0]).contract.window_config(0.3, 1.5)
    assert (window.rate, window.length, window.shortest) == (20.0, ROWS, 20)
    assert (window.max_speed, window.max_yaw_rate) == (0.3, 1.5)


def test_the_prior_of_a_loaded_file_is_the_one_that_was_saved(saved):
    window, commands = (torch.tensor(array, dtype=torch.float32) for array in (WINDOW, COMMANDS))
    with torch.inference_mode():
        torch.testing.assert_close(
            load(saved[0]).prior(window, commands), model_of().prior(window, commands))


def test_open_commands_are_not_given():
    assert open_commands(3, 8).shape == (3, 8, 3) and not open_commands(3, 8)[..., 2].any()


def test_the_right_hash_is_accepted_in_either_case(saved):
    digest = hashlib.sha256(saved[0].read_bytes()).hexdigest()
    assert file_sha256(saved[0]) == digest
    assert load(saved[0], sha256=digest.upper()).contract == saved[1]


def test_another_hash_is_refused(saved):
    assert_refused(saved[0], 'f' * 64, file_sha256(saved[0]), sha256='f' * 64)


def test_a_missing_file_is_refused(tmp_path):
    assert_refused(tmp_path / 'none.pt', 'does not exist')


def test_a_folder_is_refused(tmp_path):
    assert_refused(tmp_path)


@pytest.mark.parametrize('content', [
    b'', b'hello\nworld\n', b'PK\x03\x04' + bytes(100), random.Random(0).randbytes(5000)],
    ids=['empty', 'text', 'half a zip', 'random'])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / 'foreign.pt'
    path.write_bytes(content)
    assert_refused(path, 'TorchScript')


@pytest.mark.parametrize('share', [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, saved, share):
    path = tmp_path / 'short.pt'
    content = saved[0].read_bytes()
    path.write_bytes(content[:int(share * len(content))])
    assert_refused(path)


def test_saved_weights_are_no_model_file(tmp_path):
    torch.save(model_of().state_dict(), tmp_path / 'weights.pt')
    assert_refused(tmp_path / 'weights.pt', 'TorchScript')


def test_a_foreign_archive_is_refused(tmp_path):
    save_raw(tmp_path / 'foreign.pt', None, Sum)
    assert_refused(tmp_path / 'foreign.pt', 'contract.json')


def test_a_foreign_archive_with_a_stolen_contract_is_refused(tmp_path, saved):
    save_raw(tmp_path / 'foreign.pt', json.dumps(asdict(saved[1])), Sum)
    assert_refused(tmp_path / 'foreign.pt', 'golden')


@pytest.mark.parametrize('text', [
    '{', '[]', '3', 'null', '{}', '{"rate": 20.0}'])
def test_a_contract_that_is_none_is_refused(tmp_path, text):
    save_raw(tmp_path / 'model.pt', text)
    assert_refused(tmp_path / 'model.pt', 'contract.json')


@pytest.mark.parametrize('change, word', [
    ({'schema': 1}, 'schema 1'),
    ({'schema': 2}, 'schema 2'),
    ({'schema': None}, 'schema'),
    ({'shortest': 1}, 'shortest'),
    ({'shortest': ROWS + 1}, 'shortest'),
    ({'features': [['speed', 'm/s']]}, 'features'),
    ({'unheard_of': 1}, 'unheard_of'),
    ({'golden': {}}, 'golden'),
    ({'golden': []}, 'golden'),
    ({'golden': {'window': [1.0], 'commands': [], 'poses': [], 'factors': []}}, 'golden'),
    ({'window': ROWS + 4}, 'window'),
    ({'horizon': 40}, 'horizon'),
    ({'rate': -20.0}, 'rate'),
    ({'rate': 'fast'}, 'contract.json'),
    ({'rate': 10.0}, 'rate is 10 Hz'),
    ({'schema': '3'}, "schema '3'"),
    ({'window': True}, 'window'),
    ({'max_speed': 'fast'}, 'max_speed'),
    ({'max_speed': float('nan')}, 'max_speed'),
    ({'max_yaw_rate': -1.0}, 'max_yaw_rate'),
    ({'robots': 5}, 'robots'),
    ({'licence': ''}, 'licence'),
    ({'commit': None}, 'commit'),
    ({'data_sha256': 'abc'}, 'data_sha256'),
    ({'scores': []}, 'scores'),
    ({'classical': None}, 'classical'),
], ids=str)
def test_a_contract_that_does_not_hold_is_refused(tmp_path, saved, change, word):
    path = tmp_path / 'model.pt'
    save_raw(path, json.dumps({**asdict(saved[1]), **change}))
    assert_refused(path, word)


@pytest.mark.parametrize('name', [item.name for item in fields(Contract)])
def test_a_contract_that_lacks_a_word_is_refused(tmp_path, saved, name):
    contract = asdict(saved[1])
    del contract[name]
    save_raw(tmp_path / 'model.pt', json.dumps(contract))
    assert_refused(tmp_path / 'model.pt', name)


@pytest.mark.parametrize('name', ['window', 'commands', 'poses', 'factors'])
def test_a_golden_number_that_was_tampered_with_is_refused(tmp_path, saved, name):
    golden = json.loads(json.dumps(saved[1].golden))
    golden[name][1][4][0] = (np.asarray(golden[name][1][4][0]) + 0.5).tolist()
    save_raw(tmp_path / 'model.pt', json.dumps({**asdict(saved[1]), 'golden': golden}))
    assert_refused(tmp_path / 'model.pt', 'golden')


def test_golden_outputs_of_another_shape_are_refused(tmp_path, saved):
    golden = {**saved[1].golden, 'poses': saved[1].golden['poses'][:1]}
    save_raw(tmp_path / 'model.pt', json.dumps({**asdict(saved[1]), 'golden': golden}))
    assert_refused(tmp_path / 'model.pt', 'shape')


def test_a_model_that_gives_no_numbers_is_refused(tmp_path, saved):
    golden = {**saved[1].golden, 'window': np.full(WINDOW.shape, np.nan).tolist()}
    save_raw(tmp_path / 'model.pt', json.dumps({**asdict(saved[1]), 'golden': golden}))
    assert_refused(tmp_path / 'model.pt', 'golden')


def test_nothing_is_left_where_the_archive_disagrees_with_the_module(tmp_path):
    with pytest.raises(ModelFileError, match='golden'):
        save(tmp_path / 'model.pt', TwoFaced(), CONTRACT, WINDOW, COMMANDS)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_model_does_not_replace_a_good_one(tmp_path, saved):
    path = shutil.copy(saved[0], tmp_path / 'model.pt')
    with pytest.raises(ModelFileError):
        save(path, TwoFaced(), CONTRACT, WINDOW, COMMANDS)
    assert load(path).contract == saved[1] and list(tmp_path.iterdir()) == [path]


def test_a_model_of_64_cells_is_at_most_a_megabyte(tmp_path):
    save(tmp_path / 'model.pt', model_of(hidden=64), CONTRACT, WINDOW, COMMANDS)
    assert (tmp_path / 'model.pt').stat().st_size <= 1_000_000


def test_a_file_of_an_older_version_is_told_by_its_schema(tmp_path, saved):
    """Not by what it lacks."""
    content = asdict(saved[1])
    del content['shortest'], content['classical']
    save_raw(tmp_path / 'model.pt', json.dumps({**content, 'schema': 1}))
    assert_refused(tmp_path / 'model.pt', 'schema 1', 'reads 3')


# Who can change it.

needs_modes = pytest.mark.skipif(os.name != 'posix', reason='files have no modes here')


@pytest.fixture
def own(tmp_path, saved):
    """Return a copy of a good model file, two folders down; nobody else can change it."""
    path = tmp_path / 'outer' / 'inner' / 'own model.pt'
    path.parent.mkdir(parents=True)
    shutil.copy(saved[0], path)
    path.chmod(0o644)
    return path


def weakness(path):
    return file_permissions.weakness(path, path.stat().st_mode)


@needs_modes
def test_a_weak_file_is_refused_and_loaded_once_it_is_mended(own):
    own.chmod(0o646)
    assert_refused(own, weakness(own), "chmod o-w '")
    own.chmod(0o644)
    load(own)
    own.parent.chmod(0o757)
    assert_refused(own, weakness(own), f'chmod o-w {own.parent}')
    own.parent.chmod(0o757 | stat.S_ISVTX)  # as /tmp
    load(own)


@needs_modes
@pytest.mark.parametrize('mode', [0o666, 0o646, 0o602, 0o777])
def test_a_file_that_anyone_can_write_is_weak(own, mode):
    own.chmod(mode)
    assert f'mode {mode:04o}' in weakness(own) and f"chmod o-w '{own}'" in weakness(own)
    own.chmod(mode & ~stat.S_IWOTH)
    assert weakness(own) == ''


@needs_modes
@pytest.mark.parametrize('mode', [0o600, 0o644, 0o664, 0o775, 0o444])
def test_a_file_that_others_can_only_read_is_not(own, mode):
    own.chmod(mode)
    assert weakness(own) == ''


@needs_modes
@pytest.mark.parametrize('mode', [0o777, 0o757, 0o703])
@pytest.mark.parametrize('up', [0, 1], ids=['inner', 'outer'])
def test_a_file_that_anyone_can_replace_is_weak(own, up, mode):
    folder = own.parents[up]
    folder.chmod(mode)
    assert f'mode {mode:04o}: chmod o-w {folder}' in weakness(own)
    folder.chmod(mode | stat.S_ISVTX)
    assert weakness(own) == ''


@needs_modes
def test_a_link_is_as_good_as_what_is_behind_it(own, tmp_path):
    first, second = tmp_path / 'first.pt', tmp_path / 'second.pt'
    second.symlink_to(Path('outer') / 'inner' / own.name)
    first.symlink_to(second)
    load(first)
    own.chmod(0o666)
    assert_refused(first, '0666', f'chmod o-w {first}')  # which follows links as well
    own.chmod(0o644)
    own.parent.chmod(0o777)
    assert_refused(first, '0777', f'chmod o-w {own.parent}')


@needs_modes
@pytest.mark.parametrize('hops', [1, 2])
def test_a_link_that_anyone_can_replace_is_weak(own, tmp_path, hops):
    """A link to a folder, and one more before it that nobody else can replace."""
    common = tmp_path / 'common'
    common.mkdir()
    (common / 'models').symlink_to(own.parent)
    (tmp_path / 'models').symlink_to(Path('common') / 'models')
    path = (common if hops == 1 else tmp_path) / 'models' / own.name
    assert weakness(path) == ''
    common.chmod(0o777)
    assert f'mode 0777: chmod o-w {common}' in weakness(path)
    assert weakness(own) == ''


@needs_modes
def test_the_right_hash_makes_up_for_a_writable_file(own):
    digest = file_sha256(own)
    own.chmod(0o666)
    own.parent.chmod(0o777)
    load(own, sha256=digest)
    assert_refused(own, 'sha256', 'f' * 64, sha256='f' * 64)


@needs_modes
def test_a_writable_file_is_loaded_where_that_is_allowed(own):
    own.chmod(0o666)
    own.parent.chmod(0o777)
    load(own, allow_writable=True)


@pytest.fixture
def swap(own, monkeypatch):
    """Return a function that has a file put in the place of `own` as soon as that is open."""
    opened = Path.open

    def swap_by(other):
        def open_and_swap(path, *arguments):
            file = opened(path, *arguments)
            other.replace(path)
            return file

        monkeypatch.setattr(Path, 'open', open_and_swap)

    return swap_by


@needs_modes
def test_the_file_that_is_checked_is_the_one_that_is_run(own, swap):
    digest, bad = file_sha256(own), own.with_name('bad.pt')
    bad.write_bytes(b'bad')
    swap(bad)
    load(own, sha256=digest)
    assert not bad.exists()


@needs_modes
def test_a_file_is_judged_by_its_own_mode(own, swap):
    """Not by that of the file which its name leads to afterwards."""
    good = shutil.copy(own, own.with_name('good.pt'))
    own.chmod(0o666)
    swap(good)
    assert_refused(own, '0666')
    assert own.stat().st_mode & 0o777 == 0o644


@needs_modes
def test_what_was_just_written_is_checked_wherever_it_lies(tmp_path):
    tmp_path.chmod(0o777)
    save(tmp_path / 'model.pt', model_of(), CONTRACT, WINDOW, COMMANDS)
    assert_refused(tmp_path / 'model.pt', '0777')


def test_modes_do_not_count_where_there_are_none(own, monkeypatch):
    own.chmod(0o666)
    monkeypatch.setattr(file_permissions, 'os', SimpleNamespace(name='nt'))
    assert file_permissions.weakness(own, own.stat().st_mode) == ''


# The model files that come with the package.

@pytest.fixture(scope='module', params=SHIPPED, ids=lambda path: path.name)
def shipped(request):
    return request.param, load(request.param)


def test_a_model_is_shipped():
    assert 'turtlebot3.pt' in [path.name for path in SHIPPED]


def test_a_shipped_model_is_small_and_knows_where_it_is_from(shipped):
    path, model = shipped
    assert path.stat().st_size <= 1_000_000
    contract = model.contract
    assert len(contract.data_sha256) == 64 and contract.commit and contract.robots
    assert len(contract.golden['window']) > 1 and contract.licence == 'Apache-2.0'
    assert contract.max_speed > 0.1 and contract.max_yaw_rate > 0.1
    assert {'constant_turn', 'command_replay_mean', 'ekf', 'arx_online'} == set(contract.classical)


@pytest.mark.parametrize('group', ['fleet_open', 'fleet_known'])
def test_a_shipped_model_beats_constant_velocity(shipped, group):
    scores = shipped[1].contract.scores[group]
    at = scores['horizons_s'].index(0.5)
    lstm, classical = (scores['predictors'][name] for name in ('lstm', 'constant_velocity'))
    for error in ('position_rmse_m', 'heading_rmse_rad'):
        assert lstm[error][at] < classical[error][at]


def test_a_shipped_model_has_a_card_that_names_its_hash(shipped):
    path, _ = shipped
    assert file_sha256(path) in path.with_suffix('.md').read_text()


def test_a_shipped_model_keeps_a_robot_at_rest_at_rest(shipped):
    _, model = shipped
    window = np.zeros((1, model.contract.window, len(FEATURES)))
    window[..., FEATURE['odometry_valid']] = 1.0
    poses, _ = model.predict(window, open_commands(1, model.contract.horizon))
    assert np.abs(poses[0, 9]).max() < 0.02
