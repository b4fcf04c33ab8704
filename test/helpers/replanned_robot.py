"""The publishers and subscribers around a replanner node."""

import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, TwistStamped
from helpers.messages import velocity
from nav_msgs.msg import Odometry, Path
import pytest

PERIOD_S = 0.05  # of the upstream command


class Robot:
    """What stands around a replanner: who commands it, who obeys it and who predicts for it."""

    def __init__(self, probe, upstream=TwistStamped, downstream=TwistStamped,
                 commands='cmd_vel_in', obeys='cmd_vel'):
        self.probe = probe
        self._obeys = obeys
        self.sent_at = 0.0
        self.diagnostics = probe.hear(DiagnosticArray, '/diagnostics')
        self.heard = probe.hear(downstream, obeys, reliable=True)
        self.upstream = probe.talk(upstream, commands)
        self.odometry = probe.talk(Odometry, 'odom')
        self.paths = probe.talk(Path, 'predicted_path')
        self.poses = probe.talk(PoseWithCovarianceStamped, 'predicted_pose')
        self._kind = upstream

    def connect(self):
        """Wait until the replanner hears everything and is heard."""
        self.probe.until(
            lambda: all(publisher.get_subscription_count() for publisher in (
                self.upstream, self.odometry, self.paths, self.poses)), 'the replanner to hear')
        self.probe.until(
            lambda: self.probe.node.count_publishers(self._obeys) and self.diagnostics,
            'the replanner to be heard')

    def ask(self, speed, yaw_rate):
        """Send an upstream command."""
        self.upstream.publish(velocity(self._kind, speed, yaw_rate))
        self.sent_at = time.monotonic()

    def ask_until(self, condition, speed, yaw_rate, also=lambda: None):
        """Send an upstream command again and again until something is true."""
        def busy():
            if time.monotonic() - self.sent_at > PERIOD_S:
                self.ask(speed, yaw_rate)
                also()

        self.probe.until(condition, f'the answer to {speed}, {yaw_rate}', busy)

    def commands(self):
        """Return what was heard as (speed, yaw rate)."""
        twists = [getattr(message, 'twist', message) for message in self.heard]
        return [(twist.linear.x, twist.angular.z) for twist in twists]

    def settled(self, speed, yaw_rate):
        """Return whether the newest command is this one."""
        wanted = pytest.approx((speed, yaw_rate), abs=1e-9)
        return bool(self.heard) and self.commands()[-1] == wanted

    def status(self, name):
        """Return the newest entry of the diagnostics about a topic or the replanning."""
        return next(entry for entry in self.diagnostics[-1].status
                    if entry.name == f'replanner: {name}')
