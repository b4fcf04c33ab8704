"""What training reads along a drive is what the model has on the robot at that time."""

from lstm_predictor.model import segments
from lstm_predictor.model.experts import Experts, RECENT
from lstm_predictor.model.running_model import RunningModel
from lstm_predictor.model.window import FEATURE, FEATURES
from lstm_predictor.training import trace_store
from lstm_predictor.training.expert_traces import STRIDE, traces
from lstm_predictor.training.fit_experts import ExpertsFit
from lstm_predictor.training.sequences import Sequence
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.usefixtures('one_thread')

FLAGS = [FEATURE[name] for name in ('odometry_valid', 'command_valid', 'imu_valid')]
PAUSE = 150  # row in the middle of which the odometry paused


def sequence(name, seed, count=300, pause=PAUSE):
    """Return a drive of smooth random motion with a pause; every second row is at a stamp."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(count + 19, len(FEATURES)))
    rows = np.stack([np.convolve(column, np.exp(-np.arange(20) / 6.0) / 6.0, 'valid')
                     for column in noise.T], axis=1).astype(np.float32)
    rows[:, FLAGS] = 1.0
    anchors = np.arange(count) % 2 == 1
    rows[:, FEATURE['measured']] = anchors
    if pause:
        rows[pause] = 0.0
    poses = np.cumsum(0.05 * random.normal(size=(count, 3)), axis=0)
    return Sequence(name, rows, poses)


def fitted(*sequences):
    """Return experts that were fitted to drives."""
    experts = Experts()
    fit = ExpertsFit(experts)
    fit.add(sequences, 1.0)
    fit.solve()
    return experts


@pytest.mark.parametrize('anchor', [45, 101, 201, 257])
def test_a_trace_holds_what_the_model_has_on_the_robot(anchor):
    drive = sequence('one', 0)
    model = RunningModel(hidden=8)
    model.experts.load_state_dict(fitted(drive).state_dict(), strict=False)
    experts = model.experts
    made = {trace.name: trace for trace in traces(experts, [drive, sequence('other', 1, 260)])}
    trace = made['one']
    state, rows = model.blank(1), torch.from_numpy(drive.rows)[None]
    newest = anchor // STRIDE * STRIDE - RECENT  # that had settled
    with torch.inference_mode():
        for i in range(newest + 1):
            state = model.step(state, rows[:, i])
        ring = state.ring
        for i in range(newest + 1, anchor + 1):
            there = rows[:, i, FEATURE['odometry_valid']].reshape(1, 1, 1)
            ring = torch.cat([ring[:, 1:], rows[:, i:i + 1]], dim=1) * there
        paths = experts.paths(state.learned, ring, torch.zeros(1, segments.HORIZON, 4),
                              experts.estimated(state.learned))
    row = anchor - (anchor > PAUSE)  # the pause is not in the trace
    at = int(np.flatnonzero(trace.anchors == row)[0])
    np.testing.assert_array_equal(trace.rows[row], drive.rows[anchor])
    np.testing.assert_allclose(trace.paths[at, 0], paths[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(trace.scale[row], experts.scale(ring)[0], rtol=1e-6)


def test_only_anchors_with_a_whole_past_and_future_at_a_stamp_are_used():
    drive = sequence('one', 0)
    trace = next(traces(Experts(), [drive]))
    rows = trace.anchors + (trace.anchors >= PAUSE)
    used = rows[trace.used]
    assert len(used) > 20
    assert (used % 2 == 1).all()  # at the stamps
    since = np.where(used < PAUSE, used, used - PAUSE - 1)
    until = np.where(used < PAUSE, PAUSE, len(drive.rows)) - used
    assert since.min() >= 19 and until.min() > segments.HORIZON


def test_mirrored_drives_give_mirrored_paths_of_fitted_experts():
    drive = sequence('one', 3)
    experts = fitted(drive)
    from lstm_predictor.training.augmentation import MIRROR_ROW
    mirrored = drive._replace(name='mirrored', rows=drive.rows * MIRROR_ROW.numpy())
    made = {trace.name: trace for trace in traces(experts, [drive, mirrored])}
    flip = np.array([1.0, -1.0, -1.0])[:, None]
    np.testing.assert_allclose(made['mirrored'].paths, made['one'].paths * flip, rtol=1e-3,
                               atol=1e-5)
    np.testing.assert_allclose(made['mirrored'].variances, made['one'].variances, rtol=1e-3,
                               atol=1e-3)


def test_the_adapted_expert_learns_a_robot_that_the_fit_did_not_see():
    """A robot whose turn follows commands with another gain is predicted better later on."""
    def robot(name, gain, seed):
        found = sequence(name, seed, 1200, pause=0)
        asked = found.rows[:, FEATURE['command_yaw_rate']]
        for column in ('yaw_rate', 'pose_yaw_rate'):
            found.rows[5:, FEATURE[column]] = gain * asked[:-5]
        return found
    experts = fitted(*(robot(f'{i}', 0.5, i) for i in range(3)))
    trace = next(traces(experts, [robot('new', 1.5, 9)]))
    twist = np.concatenate([np.zeros(1), np.cumsum(
        0.05 * trace.rows[:, FEATURE['pose_yaw_rate']].astype(float))])
    ends = trace.anchors[:, None] + np.array(segments.ENDS)
    came = twist[np.minimum(ends + 1, len(twist) - 1)] - twist[trace.anchors + 1][:, None]
    missed = np.abs(trace.paths[:, 0, :2, 2] - came[:, None])  # adapted, fitted (A, 2, S)
    late = trace.used & (trace.anchors > 600)
    adapted, before = missed[late][:, :, 2].mean(axis=0)
    assert adapted < 0.3 * before


def test_traces_come_back_from_disk_as_they_were(tmp_path):
    made = list(traces(Experts(), [sequence('one', 0), sequence('two', 1, 200)]))
    trace_store.write(tmp_path / 'kept', iter(made))
    found = trace_store.read(tmp_path / 'kept')
    assert found.names == [trace.name for trace in made]
    for i, trace in enumerate(made):
        for name, one, other in zip(trace._fields, found[i], trace):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert trace_store.read(tmp_path / 'nothing') is None
    with pytest.raises(IndexError):
        found[2]


def test_a_store_that_was_not_finished_is_not_there(tmp_path):
    def broken():
        yield next(traces(Experts(), [sequence('one', 0)]))
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        trace_store.write(tmp_path / 'kept', broken())
    assert list(tmp_path.iterdir()) == []
