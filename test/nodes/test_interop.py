"""A DDS participant that is not ROS reads the prediction."""

import json

from helpers.messages import drive, stamp_of
from helpers.processes import ROOT
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('cyclonedds', reason='cyclonedds is not installed')

from geometry_msgs.msg import PoseWithCovarianceStamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402

pytestmark = pytest.mark.ros

# lo has no multicast: the participants are told where to look for one another.
CYCLONEDDS_URI = """
<CycloneDDS><Domain><General>
  <Interfaces><NetworkInterface name="lo"/></Interfaces>
  <AllowMulticast>false</AllowMulticast>
</General><Discovery>
  <ParticipantIndex>auto</ParticipantIndex>
  <MaxAutoParticipantIndex>20</MaxAutoParticipantIndex>
  <Peers><Peer address="127.0.0.1"/></Peers>
</Discovery></Domain></CycloneDDS>
"""
# Fast DDS of Kilted sends its types along. Cyclone then asks for more about them than it is told,
# and waits for ever; told nothing, it goes by the type's name.
FASTDDS_PROFILE = """
<dds xmlns="http://www.eprosima.com"><profiles>
  <participant profile_name="quiet" is_default_profile="true"><rtps><propertiesPolicy><properties>
    <property><name>fastdds.type_propagation</name><value>disabled</value></property>
  </properties></propertiesPolicy></rtps></participant>
</profiles></dds>
"""
COUNT = 5


def plain(message):
    """Return a ROS message as the values in its fields."""
    if not hasattr(message, 'get_fields_and_field_types'):
        return message if isinstance(message, (int, float, str)) else [float(x) for x in message]
    return {name: plain(getattr(message, name)) for name in message.get_fields_and_field_types()}


def test_cyclone_reads_the_predicted_pose(domain, probe, launch, model_path, tmp_path):
    profile = tmp_path / 'fastdds.xml'
    profile.write_text(FASTDDS_PROFILE)
    launch('lstm_predictor.entry_points', 'predictor', '--ros-args', '-p',
           f'model_path:={model_path}', FASTDDS_DEFAULT_PROFILES_FILE=str(profile))
    foreigner = launch('helpers.cyclone_reader', domain, CYCLONEDDS_URI=CYCLONEDDS_URI,
                       PYTHONPATH=str(ROOT / 'test'))
    heard = probe.hear(PoseWithCovarianceStamped, 'predicted_pose')
    odometry = probe.talk(Odometry, 'odom')
    probe.until(odometry.get_subscription_count, 'the predictor')

    def read():
        assert foreigner.process.poll() is None, foreigner.said
        return [json.loads(line) for line in foreigner.output.splitlines(keepends=True)
                if line.endswith('\n')]

    def both():
        """Return what came through, by its stamp, where this process has heard it, too."""
        expected = {stamp_of(message): plain(message) for message in heard}
        stamps = [message['header']['stamp'] for message in read()]
        numbers = [stamp['sec'] * 10**9 + stamp['nanosec'] for stamp in stamps]
        return [(message, expected[number]) for number, message in zip(numbers, read())
                if number in expected]

    for message in drive(20, 600.0):
        odometry.publish(message)
        probe.spin(0.02)
        if len(both()) >= COUNT:
            break
    assert len(both()) >= COUNT
    for message, expected in both():
        assert message == expected
