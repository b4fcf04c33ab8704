"""What the page shows of a recording is what was driven, predicted and said."""

from dataclasses import replace
import math
from pathlib import Path
import re
import sys

from helpers.bags import bag_type, header, message, quaternion, SECOND, START, vector
from helpers.reviews import judged, made_up, pose_at, prediction, STEP, TWIST
from lstm_predictor.common.readings import Command, Odometry
from lstm_predictor.common.uncertainty import CHI2_2_90, ellipse, outline
from lstm_predictor.evaluation.report.errors import coverage_90, scored
from lstm_predictor.evaluation.report.figure import figure
from lstm_predictor.evaluation.report.from_model import offline
from lstm_predictor.evaluation.report.from_recording import has_predictions, recorded
from lstm_predictor.evaluation.report.map_panel import ROBOT, shown
from lstm_predictor.evaluation.report.page import page
from lstm_predictor.evaluation.report.plot_data import decimated, evenly_spaced
from lstm_predictor.evaluation.report.review import joined, Prediction, Problem
from lstm_predictor.model.model_file import load
from lstm_predictor.recordings.rosbag_io import BagWriter, Message, Recording
import numpy as np
import pytest
from rosbags.typesys import get_typestore, Stores

STORE = get_typestore(Stores.LATEST)
DATA = Path(__file__).parents[3] / 'shared' / 'data' / 'turtlebot3_burger'
MODEL = Path(__file__).parents[2] / 'models' / 'turtlebot3.pt'


def traces(review):
    """Return the traces of the figure by their names, the first of each name."""
    found = {}
    for trace in figure(review, scored(review)).data:
        found.setdefault(trace.name, trace)
    return found


# Ellipses.

@pytest.mark.parametrize('seed', range(5))
def test_outline_is_where_the_error_has_the_quantile(seed):
    random = np.random.default_rng(seed)
    factor = random.normal(size=(2, 2))
    covariance, center = factor @ factor.T, random.normal(size=2)
    line = outline(center, ellipse(covariance)) - center
    distance = np.einsum('ni,ij,nj->n', line, np.linalg.inv(covariance), line)
    assert distance == pytest.approx(CHI2_2_90)
    assert line[0] == pytest.approx(line[-1])
    major, minor, angle = ellipse(covariance)
    assert major >= minor > 0.0 and -math.pi / 2.0 < angle <= math.pi / 2.0


def test_nine_tenths_of_the_positions_lie_in_the_ellipse():
    random = np.random.default_rng(0)
    factor = np.array([[0.3, 0.0], [0.5, 0.1]])
    points = random.normal(size=(20_000, 2)) @ factor.T
    major, minor, angle = ellipse(factor @ factor.T)
    cos, sin = math.cos(angle), math.sin(angle)
    along, across = points @ [cos, sin], points @ [-sin, cos]
    assert np.mean((along / major) ** 2 + (across / minor) ** 2 <= 1.0) == pytest.approx(
        0.9, abs=0.01)


# Thinning.

@pytest.mark.parametrize('count', [0, 1, 2, 7, 99, 100, 101, 5000])
def test_thinning_keeps_peaks_ends_and_order(count):
    values = np.random.default_rng(count).normal(size=count)
    kept = decimated(values, 100)
    assert len(kept) <= 100 and (np.diff(kept) > 0).all()
    if count:
        assert {0, count - 1, int(values.argmax()), int(values.argmin())} <= set(kept.tolist())
    if count <= 100:
        assert len(kept) == count


@pytest.mark.parametrize('count', [0, 1, 30, 3000])
def test_spread_is_even(count):
    times = np.cumsum(np.random.default_rng(count).uniform(0.0, 0.2, size=count))
    kept = times[evenly_spaced(times, 60, 1.0)]
    assert len(kept) <= 61
    if count > 1:
        assert np.diff(kept).mean() >= 0.9 and kept[0] == times[0]


# Scores.

@pytest.mark.parametrize('push', [0.0, 0.03])
def test_error_is_how_far_the_prediction_is_off(push):
    for one in scored(made_up(push=push)):
        # Between two readings on the circle the pose is looked up on a straight line.
        assert one.errors == pytest.approx(push, abs=1e-4)
        assert one.rmse == pytest.approx(push, abs=1e-4)


def test_nothing_is_scored_before_its_time_comes():
    review = made_up(seconds=4.0)
    last_ns = int(review.odometry.odometry.times[-1])
    for one in scored(review):
        assert one.stamps_ns.max() <= last_ns
        assert len(one.errors) == 61 - round(20 * one.horizon)
    assert scored(made_up(predictions=[prediction(last_ns + 100 * SECOND)])) == []
    assert coverage_90(made_up(predictions=[])) is None


@pytest.mark.parametrize('push, share', [(0.0, 1.0), (0.02, 1.0), (0.03, 0.0)])
def test_inside_the_region_is_within_its_quantile(push, share):
    assert coverage_90(made_up(push=push)) == share  # of a spread of 0.01: 2.5 of them


# Troubles and hand-overs.

def test_troubles_that_follow_each_other_are_one():
    def at(second, level=1, name='imu', text=''):
        begin_ns = START + second * SECOND
        return Problem(name, level, begin_ns, begin_ns + SECOND, text)

    found = joined([at(0), at(2, text='last'), at(1), at(9), at(1, level=2), at(1, name='odom')],
                   SECOND // 2)
    assert [(one.name, one.level, one.begin_ns - START, one.end_ns - START) for one in found] == [
        ('imu', 1, 0, 3 * SECOND), ('imu', 2, SECOND, 2 * SECOND),
        ('odom', 1, SECOND, 2 * SECOND), ('imu', 1, 9 * SECOND, 10 * SECOND)]
    assert found[0].text == 'last'


def test_handover_is_where_the_largest_share_moves():
    review = made_up(mixture_states=[
        judged(i, first) for i, first in enumerate([.9, .6, .2, .3, .8])])
    assert [(change.stamp_ns, before, after) for change, before, after in review.switches()] == [
        (START + 2 * SECOND, 'lstm', 'arx_online'), (START + 4 * SECOND, 'arx_online', 'lstm')]
    assert list(traces(review)['hand-over'].x) == [2.0, 4.0]
    weights = [traces(review)[f'share of {name}'].y for name in ('lstm', 'arx_online')]
    assert np.sum(weights, axis=0) == pytest.approx(100.0)


# The figure.

def test_figure_draws_the_drive_and_the_predictions():
    review = made_up(push=0.1, problems=[
        Problem('predictor: imu', 1, START + SECOND, START + 3 * SECOND, 'imu <stopped>'),
        Problem('replanner: odom', 2, START + SECOND, START + 2 * SECOND, 'nothing')])
    found = traces(review)
    driven = np.array([found['driven'].x, found['driven'].y]).T
    radius = TWIST[0] / TWIST[2]
    assert np.hypot(driven[:, 0], driven[:, 1] - radius) == pytest.approx(radius, abs=1e-3)
    fan = np.array([[x, y] for x, y in zip(found['predicted'].x, found['predicted'].y)
                    if x is not None])
    assert np.hypot(fan[:, 0], fan[:, 1] - radius) == pytest.approx(
        math.hypot(radius, 0.1), abs=1e-3)
    assert found['predicted'].x.count(None) == len(shown(review))
    assert found['90 % regions up to 1 s'].x.count(None) == len(shown(review))
    assert '90 % regions beyond 1 s' not in found
    assert found['warning'].x[:2] == (1.0, 3.0) and found['error'].x[:2] == (1.0, 2.0)
    assert '<stopped>' not in found['warning'].text[0]
    assert {'command asked for', 'command sent to the robot', '2 s ahead'} <= set(found)


def test_page_lists_what_was_not_well_in_words():
    problems = [Problem('predictor: imu', i % 2 + 1, START + i * SECOND, START + (i + 1) * SECOND,
                        f'imu <stopped> {i}') for i in range(60)]
    text, _ = page(made_up(seconds=70.0, problems=problems))
    table = text[text.index('id="troubles"'):]
    assert table.count('<tr>') == 51 and 'and 10 more' in table
    assert '2.0 to 3.0 s</td><td>warning</td><td>predictor: imu</td><td>imu &lt;stopped&gt; 2<' \
        in table
    assert 'id="troubles"' not in page(made_up())[0]


def test_long_recordings_stay_small():
    # Ten minutes at 20 Hz: 12001 readings.
    review = made_up(seconds=600.0, predictions=[prediction(START + i * STEP)
                                                 for i in range(0, 11_000, 4)])
    for trace in figure(review, scored(review)).data:
        assert len(trace.x) <= 3000
    text, numbers = page(review)
    assert len(text) < 6_500_000
    assert numbers['distance_m'] == pytest.approx(120.0, rel=1e-3)


def test_every_hover_text_has_its_unit():
    review = made_up(mixture_states=[judged(2, 0.9), judged(3, 0.1)])
    for trace in figure(review, scored(review)).data:
        texts = [trace.hovertemplate, *(text for text in trace.text or () if text)]
        assert trace.name == ROBOT or any(
            re.search(r'\b(m|mm|s|rad/s)\b|%', text.replace('%{', '')) for text in texts), trace


def test_page_asks_for_nothing_else():
    text, _ = page(made_up(name='<b>&'))
    tags = re.findall(r'<(?:script|link|img|iframe)\b[^>]*>', text.split('<body>')[0])
    tags += re.findall(r'<script\b[^>]*>', text)
    assert tags and not any('src' in tag or 'href' in tag for tag in tags)
    assert '<title>&lt;b&gt;&amp;: ' in text


# Recordings.

@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Return a recording with odometry and commands, one of them bad."""
    path = tmp_path_factory.mktemp('view') / 'plain'
    with BagWriter(path) as writer:
        for i in range(240):
            stamp_ns = START + i * STEP
            speed = 0.15 + 0.05 * math.sin(0.05 * i)
            writer.write(message(Odometry(
                stamp_ns, *pose_at(stamp_ns).tolist(), TWIST[0], TWIST[2])))
            writer.write(message(Command(stamp_ns + STEP // 2, speed, TWIST[2])))
        writer.write(message(Odometry(START + 240 * STEP, math.nan, 0.0, 0.0, 0.2, 0.5)))
    return path


@pytest.fixture(scope='module')
def core(plain, model_path):
    """Return what the predictor's core makes of it."""
    with Recording(plain) as recording:
        return offline(recording, load(model_path), (0.22, 2.84))


def written(content, kind, receive_ns, topic):
    return Message(receive_ns, topic, kind, bytes(STORE.serialize_cdr(content, kind)))


def as_path(prediction):
    """Return a prediction as the message that the node publishes."""
    steps = [bag_type('geometry_msgs/msg/PoseStamped')(header(int(stamp)), as_pose(pose))
             for stamp, pose in zip(prediction.stamps_ns, prediction.poses.tolist())]
    return written(
        bag_type('nav_msgs/msg/Path')(header(prediction.anchor_ns), steps), 'nav_msgs/msg/Path',
        prediction.anchor_ns + 9_000_000, '/predicted_path')


def as_pose(pose):
    x, y, yaw = pose
    return bag_type('geometry_msgs/msg/Pose')(vector(x, y, name='Point'), quaternion(yaw))


def as_predicted_pose(anchor_ns, region):
    kind = 'geometry_msgs/msg/PoseWithCovarianceStamped'
    covariance = np.zeros((6, 6))
    covariance[np.ix_([0, 1, 5], [0, 1, 5])] = region.covariance
    content = bag_type(kind)(header(region.stamp_ns), bag_type(
        'geometry_msgs/msg/PoseWithCovariance')(as_pose(region.pose.tolist()), covariance.ravel()))
    return written(content, kind, anchor_ns + 9_500_000, '/predicted_pose')


@pytest.fixture(scope='module')
def said(plain, core, tmp_path_factory):
    """Return the same recording with what the core said as the topics of the nodes."""
    path = tmp_path_factory.mktemp('view') / 'said'
    with Recording(plain) as recording:
        messages = list(recording.messages())
    for one in core.predictions:
        messages.append(as_path(one))
        messages.append(as_predicted_pose(one.anchor_ns, one.regions[0]))
    with BagWriter(path) as writer:
        for content in sorted(messages, key=lambda content: content.receive_ns):
            writer.write(content)
    return path


def test_core_predicts_once_per_step_and_names_what_it_refuses(core):
    anchors = np.array([prediction.anchor_ns for prediction in core.predictions])
    assert len(anchors) > 150 and (np.diff(anchors) == STEP).all()
    assert [problem.name for problem in core.problems if 'nan' in problem.text] == ['odom']
    assert all(sum(state.weights.values()) == pytest.approx(1.0) for state in core.mixture_states)


def test_recorded_predictions_are_those_that_were_said(plain, said, core):
    with Recording(plain) as recording:
        assert not has_predictions(recording)
    with Recording(said) as recording:
        assert has_predictions(recording)
        found = recorded(recording)
    assert len(found.predictions) == len(core.predictions)
    for one, other in zip(found.predictions, core.predictions):
        assert one.anchor_ns == other.anchor_ns
        assert one.poses == pytest.approx(other.poses)
        assert one.regions[0].covariance == pytest.approx(other.regions[0].covariance)
    assert [one.rmse for one in scored(found)] == pytest.approx(
        [one.rmse for one in scored(core)])
    assert found.commands['sent to the robot'] == core.commands['sent to the robot']


def set_back(messages, topics=('/odom', '/cmd_vel', '/predicted_path', '/predicted_pose')):
    """Return messages whose clock goes back by 5 s at half-time; receipts go on."""
    half = START + 120 * STEP
    for one in messages:
        if one.receive_ns >= half and one.topic in topics:
            content = one.decoded()
            for part in [content, *getattr(content, 'poses', [])]:
                part.header.stamp.sec -= 5
            one = replace(one, data=bytes(STORE.serialize_cdr(content, one.msgtype)))
        yield one


@pytest.mark.parametrize('published', [False, True])
def test_drives_are_shown_one_after_another(plain, said, model_path, tmp_path, published):
    """No prediction is compared with a pose of another drive."""
    with Recording(said if published else plain) as recording:
        messages = list(recording.messages_on(
            '/odom', '/cmd_vel', '/predicted_path', '/predicted_pose'))
    with BagWriter(tmp_path / 'bag') as writer:
        for one in set_back(messages):
            writer.write(one)

    def seen(path):
        with Recording(path) as recording:
            return recorded(recording) if published else \
                offline(recording, load(model_path), (0.22, 2.84))

    right, found = seen(said if published else plain), seen(tmp_path / 'bag')
    times = found.odometry.odometry.times
    assert len(times) == len(right.odometry.odometry.times)
    assert (np.diff(times) > 500_000_000).sum() == 1
    assert np.diff(times).max() <= 1_000_000_000
    anchors = [prediction.anchor_ns for prediction in found.predictions]
    assert anchors == sorted(anchors) and len(anchors) > 130
    for one, other in zip(scored(found), scored(right)):
        assert one.errors.max() < 1.2 * other.errors.max() + 1e-6
        assert len(one.errors) >= len(other.errors) - 80  # 2 s on either side
    if not published:
        assert any('odom jumps back by 5.0 s' in problem.text for problem in found.problems)


@pytest.mark.ros
def test_recorded_discs_are_the_ellipses_of_the_prediction(said, tmp_path):
    pytest.importorskip('rclpy')
    from helpers.trajectories import prediction
    from lstm_predictor.nodes.markers import region_markers
    from rclpy.serialization import serialize_message
    from visualization_msgs.msg import MarkerArray
    predicted = prediction(0)
    path = as_path(Prediction(predicted.anchor_ns, predicted.stamps_ns, predicted.poses))
    with Recording(said) as recording:
        messages = list(recording.messages_on('/odom'))[:3]
    with BagWriter(tmp_path / 'bag') as writer:
        for content in [*messages, path, Message(
                path.receive_ns + 1, '/predicted_markers', 'visualization_msgs/msg/MarkerArray',
                serialize_message(MarkerArray(markers=region_markers(predicted, 'odom'))))]:
            writer.write(content)
    with Recording(tmp_path / 'bag') as recording:
        found, = recorded(recording).predictions
    assert len(found.discs) == 8
    for disc in found.discs:
        step = predicted.stamps_ns.tolist().index(disc.stamp_ns)
        assert disc.center == pytest.approx(predicted.poses[step, :2])
        assert disc.ellipse == pytest.approx(ellipse(predicted.covariances[step]))


@pytest.mark.ros
def test_diagnostics_are_read_as_the_node_writes_them(said, model_path, tmp_path):
    pytest.importorskip('rclpy')
    from diagnostic_msgs.msg import DiagnosticArray
    from lstm_predictor.nodes import diagnostics
    from lstm_predictor.nodes.predictor_diagnostics import PredictorDiagnostics
    from lstm_predictor.prediction.predictor import Predictor, PredictorConfig
    from rclpy.serialization import serialize_message
    predictor = Predictor(load(model_path), PredictorConfig())
    with Recording(said) as recording:
        for reading in recording.readings():
            if predictor.add(reading) and isinstance(reading, Odometry):
                predictor.predict_if_due()
        messages = list(recording.messages_on('/odom', '/predicted_path'))
    mixture = predictor.mixture
    written = PredictorDiagnostics(predictor, {}).prediction_status(1.0)
    written.level, written.name = diagnostics.WARN, f'robot/predictor: {written.name}'
    entries = [diagnostics.status(diagnostics.WARN, 'robot/predictor: summary', 'worse', {}),
               written,
               diagnostics.status(diagnostics.OK, 'robot/predictor: prediction', 'as before 1.0',
                                  {'lstm: share [%]': '60', 'scored after [s]': '0.1, 0.2'})]
    with BagWriter(tmp_path / 'bag') as writer:
        for content in messages:
            writer.write(content)
        writer.write(Message(messages[-1].receive_ns, '/diagnostics',
                             'diagnostic_msgs/msg/DiagnosticArray',
                             serialize_message(DiagnosticArray(status=entries))))
    with Recording(tmp_path / 'bag') as recording:
        found = recorded(recording)
    judged, = found.mixture_states
    assert judged.weights == pytest.approx(
        dict(zip(mixture.names, mixture.weights.tolist())), abs=0.006)
    assert list(judged.coverage) == pytest.approx(mixture.checkpoints.tolist())
    assert list(judged.coverage.values()) == pytest.approx(
        mixture.errors('published').coverage.tolist(), abs=0.006)
    assert [(one.name, one.level) for one in found.problems] == [
        ('robot/predictor: prediction', 1)]


# The command.

def test_command_writes_the_page_and_says_what_is_on_it(said, tmp_path, capsys):
    from lstm_predictor.cli.view import main
    out = tmp_path / 'new' / 'page.html'
    assert main([str(said), '--out', str(out), '--json', str(tmp_path / 'numbers.json')]) == 0
    printed = capsys.readouterr().out
    assert 'as the predictor published them while driving' in out.read_text(encoding='utf-8')
    assert printed.splitlines()[0] in out.read_text(encoding='utf-8')


def test_page_without_plotly_is_one_line(refused, said, tmp_path, monkeypatch):
    from lstm_predictor.cli.view import main
    for name in list(sys.modules):
        if name.startswith(('plotly', 'lstm_predictor.evaluation.report')):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'plotly', None)
    assert 'pip install plotly' in refused(main, str(said), '--out', str(tmp_path / 'page.html'))


@pytest.mark.parametrize('name', ['missing', 'empty'])
def test_what_is_no_recording_is_named(refused, tmp_path, name):
    from lstm_predictor.cli.view import main
    (tmp_path / 'empty').mkdir()
    assert name in refused(main, str(tmp_path / name), '--out', str(tmp_path / 'page.html'))
    assert not (tmp_path / 'page.html').exists()


def test_recording_of_a_real_robot(tmp_path):
    bag = DATA / 'A_lab05_20251216-155016'
    if not bag.is_dir():
        pytest.skip(f'no recording {bag.name} beside the repository')
    from lstm_predictor.cli.view import main
    assert main([str(bag), '--out', str(tmp_path / 'page.html'), '--model', str(MODEL)]) == 0
    assert (tmp_path / 'page.html').stat().st_size < 6_500_000
