"""A DDS participant that is not ROS."""

import json
import sys


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


if __name__ == '__main__':
    main()
