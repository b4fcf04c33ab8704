"""A DDS participant that is not ROS reads the prediction."""

import json
from pathlib import Path
import sys

from conftest import drive, stamp_of
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


def main():
    """Print what arrives on rt/predicted_pose, one line of JSON for each message."""
    from dataclasses import asdict, dataclass
    import time

    from cyclonedds.core import Policy, Qos
    from cyclonedds.domain import DomainParticipant
    from cyclonedds.idl import IdlStruct
    from cyclonedds.idl.types import array, float64, int32, uint32
    from cyclonedds.sub import DataReader
    from cyclonedds.topic import Topic

    @dataclass
    class Time(IdlStruct, typename='builtin_interfaces::msg::dds_::Time_'):
        sec: int32
        nanosec: uint32

    @dataclass
    class Header(IdlStruct, typename='std_msgs::msg::dds_::Header_'):
        stamp: Time
        frame_id: str

    @dataclass
    class Point(IdlStruct, typename='geometry_msgs::msg::dds_::Point_'):
        x: float64
        y: float64
        z: float64

    @dataclass
    class Quaternion(IdlStruct, typename='geometry_msgs::msg::dds_::Quaternion_'):
        x: float64
        y: float64
        z: float64
        w: float64

    @dataclass
    class Pose(IdlStruct, typename='geometry_msgs::msg::dds_::Pose_'):
        position: Point
        orientation: Quaternion

    @dataclass
    class PoseWithCovariance(
            IdlStruct, typename='geometry_msgs::msg::dds_::PoseWithCovariance_'):
        pose: Pose
        covariance: array[float64, 36]

    @dataclass
    class Stamped(IdlStruct, typename='geometry_msgs::msg::dds_::PoseWithCovarianceStamped_'):
        header: Header
        pose: PoseWithCovariance

    participant = DomainParticipant(int(sys.argv[1]))
    reader = DataReader(
        participant, Topic(participant, 'rt/predicted_pose', Stamped),
        Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(100),
            Policy.DataRepresentation(use_cdrv0_representation=True)))
    while True:
        for message in reader.take(100):
            print(json.dumps(asdict(message)), flush=True)
        time.sleep(0.02)


def plain(message):
    """Return a ROS message as the values in its fields."""
    if not hasattr(message, 'get_fields_and_field_types'):
        return message if isinstance(message, (int, float, str)) else [float(x) for x in message]
    return {name: plain(getattr(message, name)) for name in message.get_fields_and_field_types()}


def test_cyclone_reads_the_predicted_pose(domain, probe, launch, model_path, tmp_path):
    profile = tmp_path / 'fastdds.xml'
    profile.write_text(FASTDDS_PROFILE)
    launch('lstm_predictor.start', 'predictor', '--ros-args', '-p',
           f'model_path:={model_path}', FASTDDS_DEFAULT_PROFILES_FILE=str(profile))
    foreigner = launch(
        Path(__file__).stem, domain, CYCLONEDDS_URI=CYCLONEDDS_URI,
        PYTHONPATH=str(Path(__file__).parent))
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


if __name__ == '__main__':
    main()
