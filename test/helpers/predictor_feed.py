"""Messages for a predictor node, and what is predicted from them offline."""

from collections import Counter
import math

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped, Twist, TwistStamped
from helpers.messages import set_stamp, stamp_of
from lstm_predictor.common import readings
from lstm_predictor.model import model_file
from lstm_predictor.prediction.predictor import Predictor, PredictorConfig
from nav_msgs.msg import Odometry, Path
import numpy as np
import pytest
from sensor_msgs.msg import Imu

TOPICS = {Odometry: 'odom', Imu: 'imu', Twist: 'cmd_vel', TwistStamped: 'cmd_vel'}
OFTEN = 0.005  # period of diagnostics: how soon a message is known to be taken [s]
PLANAR = np.ix_([0, 1, 5], [0, 1, 5])
TRUSTED_S = 2.8  # of driving in which a model that was not trained is not found out yet [s]


class Feed:
    """
    Sends messages to a predictor, odometry when all before it was taken, and keeps its answers.

    What the diagnostics say of the last message is to be looked at first: after a second without
    another, which a prediction offline may take, they speak of the silence.
    """

    def __init__(self, probe, reliable=True, inputs=(Odometry, Imu, TwistStamped)):
        self.probe = probe
        self.sent = Counter()
        self.diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
        self.paths = probe.hear(Path, 'predicted_path')
        self.poses = probe.hear(PoseWithCovarianceStamped, 'predicted_pose')
        self.odometry = probe.hear(Odometry, 'predicted_odom')
        self.publishers = {kind: probe.talk(kind, TOPICS[kind], reliable) for kind in inputs}

    def connect(self):
        """Wait until the predictor hears every input and is heard."""
        self.probe.until(
            lambda: all(p.get_subscription_count() for p in self.publishers.values()),
            'the predictor to hear')
        self.probe.until(
            lambda: all(self.probe.node.count_publishers(f'predicted_{name}')
                        for name in ('path', 'pose', 'odom')) and self.diagnostics,
            'the predictor to be heard')

    def send(self, messages):
        """Send messages; odometry, which is predicted from, alone."""
        for message in messages:
            kind = type(message)
            if kind is Odometry:
                self._until_taken()
            self.publishers[kind].publish(message)
            self.sent[TOPICS[kind]] += 1
            if kind is Odometry:
                self._until_taken()
        self._until_taken()

    def _until_taken(self):
        self.probe.until(
            lambda: all(self.taken(topic) == count for topic, count in self.sent.items()),
            f'messages {self.sent} to be taken')

    def taken(self, topic):
        """Return how many messages of a topic have been heard, good or bad."""
        values = {item.key: item.value for item in self.status(topic).values}
        return int(values['received']) + int(values['rejected'])

    def status(self, name):
        """Return the newest entry of the diagnostics about a topic or the prediction."""
        return next(entry for entry in self.diagnostics[-1].status
                    if entry.name == f'predictor: {name}')

    def until_well(self, name):
        """Wait until an entry of the diagnostics has been OK."""
        self.probe.until(lambda: any(
            entry.level == DiagnosticStatus.OK and entry.name == f'predictor: {name}'
            for array in self.diagnostics for entry in array.status), f'{name} to be OK')

    def until_published(self, count):
        """Wait for so many predictions on every output."""
        self.probe.until(
            lambda: min(map(len, (self.paths, self.poses, self.odometry))) >= count,
            f'{count} predictions')


def imu_message(stamp_ns, yaw_rate, acceleration):
    message = Imu()
    set_stamp(message, stamp_ns)
    message.angular_velocity.z = yaw_rate
    message.linear_acceleration.x = acceleration
    return message


def command_message(stamp_ns, speed, yaw_rate):
    message = TwistStamped()
    set_stamp(message, stamp_ns)
    message.twist.linear.x, message.twist.angular.z = speed, yaw_rate
    return message


def with_imu_and_commands(odometry):
    """Return all messages of a drive; at equal stamps the odometry comes last."""
    messages = []
    for index, message in enumerate(odometry):
        stamp_ns = stamp_of(message)
        messages.append(imu_message(stamp_ns - 7_000_000, 0.1 * index % 1.0, math.sin(index)))
        messages.append(imu_message(stamp_ns, 0.3, 0.1))
        if index % 7 == 0:
            messages.append(command_message(stamp_ns - 3_000_000, 0.2, math.sin(0.1 * index)))
        messages.append(message)
    return messages


def offline(path, messages, **config):
    """Return what the core predicts from the messages that it can read."""
    predictor = Predictor(model_file.load(path), PredictorConfig(**config))
    read = {Odometry: readings.read_odometry, Imu: readings.read_imu,
            TwistStamped: lambda message: readings.read_command(message, 0)}
    predictions = []
    for message in messages:
        try:
            reading = read[type(message)](message)
        except readings.InvalidMessage:
            continue
        predictor.add(reading)
        if isinstance(message, Odometry):
            predictions.append(predictor.predict_if_due())
    return [prediction for prediction in predictions if prediction is not None]


def planar(pose):
    return [pose.position.x, pose.position.y, readings.yaw_of(pose.orientation)]


def assert_same(feed, predictions, horizon=None):
    """
    Assert that what was published is exactly what the core predicted.

    `horizon` [s] is that of pose and odometry; None is when a command given now takes effect.
    """
    assert len(predictions) > 5
    feed.until_published(len(predictions))
    assert [stamp_of(path) for path in feed.paths] == [p.anchor_ns for p in predictions]
    for path, pose, odometry, expected in zip(
            feed.paths, feed.poses, feed.odometry, predictions):
        assert [stamp_of(step) for step in path.poses] == expected.stamps_ns.tolist()
        np.testing.assert_allclose(
            [planar(item.pose) for item in path.poses], expected.poses, atol=1e-6)
        step = expected.at(expected.actuation_latency if horizon is None else horizon)
        for message in (pose, odometry):
            assert stamp_of(message) == step.stamp_ns
            assert planar(message.pose.pose) == pytest.approx(step.pose, abs=1e-6)
            covariance = np.reshape(message.pose.covariance, (6, 6))
            np.testing.assert_allclose(
                covariance[PLANAR], step.covariance, rtol=1e-4, atol=1e-12)
        twist = odometry.twist.twist
        assert [twist.linear.x, twist.linear.y, twist.angular.z] == pytest.approx(
            step.twist, abs=1e-5)
