"""The faults: how each is injected, what the diagnostics must report, how soon it is safe."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
import signal

from fault_injection import injections as inject, message_faults as corrupt
from fault_injection.injections import Inject
from fault_injection.testbed import Setting

_HOUR_NS = 3_600_000_000_000
_SECOND_NS = 1_000_000_000
WARN, ERROR = 1, 2


@dataclass(frozen=True)
class Fault:
    """One fault, injected while the robot drives at its maximum speed."""

    name: str
    inject: Inject
    reports: tuple[str, int, str] | None  # entry of the diagnostics, minimum level, regex
    bound: float = 0.5  # until the command is zero or the requested one [s]
    setting: Setting = Setting()
    seconds: float = 2.5  # duration
    before: float = 1.0  # of normal driving before it [s]


# A node that misses the first announcements of a new participant gets the next after 3 s.
_FOUND = 6.0  # [s]
_PLAIN, _SIM_TIME = Setting(), Setting(sim_time=True)
_ON_A_PLAN = Setting(mode='follow_path')
_LOST = ('replanner: predicted_path', WARN, r'predicted_path stopped \d+\.\d s ago')
_NO_ODOMETRY = ('predictor: odom', ERROR, r'odom stopped \d+\.\d s ago')
_SILENT = ('command_guard: cmd_vel_in', WARN, r'cmd_vel_in stopped \d+\.\d s ago')


def all_faults(folder: FilePath) -> list[Fault]:
    """Return all faults; `folder` is for the files of some."""
    return [*_silences(), *_processes(), *_clocks(), *_values(), *_stamps(), *_traffic(),
            *_robots(), *_overrides(), *_network(), *_operators(folder), *_machine(),
            *_on_a_plan()]


def _silences() -> Iterator[Fault]:
    yield Fault('odometry stops', inject.wire(odom=corrupt.nothing), _NO_ODOMETRY)
    yield Fault('IMU stops', inject.wire(imu=corrupt.nothing),
                ('predictor: imu', WARN, r'imu stopped \d+\.\d s ago'))
    yield Fault('upstream command stops', inject.silence,
                ('replanner: cmd_vel_in', ERROR, r'cmd_vel_in stopped \d+\.\d s ago'))
    yield Fault('prediction stops', inject.wire(
        predicted_path=corrupt.nothing, predicted_pose=corrupt.nothing), _LOST)


def _processes() -> Iterator[Fault]:
    yield Fault('predictor killed', inject.ended('predictor', signal.SIGKILL), _LOST)
    yield Fault('predictor hung', inject.hung('predictor'), _LOST)
    yield Fault('replanner killed', inject.ended('replanner', signal.SIGKILL), _SILENT)
    yield Fault('replanner hung', inject.hung('replanner'), _SILENT)
    for number in (signal.SIGTERM, signal.SIGINT):
        yield Fault(f'replanner gets {number.name}', inject.ended('replanner', number), _SILENT,
                    bound=0.2)
    yield Fault('guard gets SIGTERM', inject.ended('command_guard', signal.SIGTERM),
                None, bound=0.2)


def _clocks() -> Iterator[Fault]:
    jumped = ('predictor: timing', WARN, r'the clock of odom jumped by [-+]\d+\.\d+ s')
    yield Fault('bag loops', inject.clock(-20 * _SECOND_NS), jumped, setting=_SIM_TIME)
    yield Fault('clock jumps 1 h ahead', inject.clock(_HOUR_NS), jumped, setting=_SIM_TIME)
    yield Fault('clock steps 0.5 s back', inject.clock(-_SECOND_NS // 2), jumped,
                setting=_SIM_TIME)
    yield Fault('/clock stops', inject.stop_clock,
                ('predictor: timing', ERROR, r'/clock stopped \d+\.\d s ago'),
                setting=_SIM_TIME)
    yield Fault('simulator reset', inject.reset, jumped, setting=_SIM_TIME)
    yield Fault('/clock is negative for once', inject.negative_clock, None, setting=_SIM_TIME)
    yield Fault('use_sim_time without /clock', inject.nothing,
                ('replanner: timing', ERROR, 'nothing is received on /clock'),
                setting=Setting(sim_time=True, clock=False))
    yield Fault('base clock jumps 1 h ahead', inject.shift(_HOUR_NS, 'odom', 'imu'),
                ('predictor: timing', WARN, 'odom'))
    yield Fault('Pi and base clocks 0.3 s apart', inject.shift(-3 * _SECOND_NS // 10, 'odom'),
                ('predictor: timing', WARN, r'is stamped 0\.[23]\d s ahead of odom'),
                seconds=4.0)


def _values() -> Iterator[Fault]:
    odometry = ('predictor: odom', WARN, 'odom: rejected')
    for value, words in ((corrupt.NAN, 'nan'), (corrupt.INF, 'inf'), (1e300, r'1e\+300')):
        yield Fault(f'odometry speed {value}', inject.wire(
            odom=corrupt.setting('twist.twist.linear.x', value)), (*odometry[:2], words))
    for value in (corrupt.NAN, 1e300):
        yield Fault(f'odometry position {value}', inject.wire(
            odom=corrupt.setting('pose.pose.position.x', value)),
            ('predictor: odom', WARN, r'odom.*(nan|m from the one before)'))
    yield Fault('odometry quaternion zero', inject.wire(odom=corrupt.quaternion(0.0)), odometry)
    yield Fault('odometry quaternion 3 long', inject.wire(odom=corrupt.quaternion(3.0)), None)
    for value in (-1.0, 1.7e308, corrupt.INF):
        yield Fault(f'odometry covariances {value}', inject.wire(
            odom=corrupt.covariance('pose', value)), None)
    for value in (-1.0, 1.7e308, corrupt.NAN):
        yield Fault(f'prediction covariances {value}', inject.wire(
            predicted_pose=corrupt.covariance('pose', value)),
            ('replanner: replanning', WARN, r'slowed to \d+ %'))
    yield Fault('IMU yaw rate nan', inject.wire(
        imu=corrupt.setting('angular_velocity.z', corrupt.NAN)),
        ('predictor: imu', WARN, 'imu: rejected.*nan'))
    yield Fault('upstream command nan', inject.wire(cmd_vel_in=corrupt.not_finite(corrupt.NAN)),
                ('replanner: cmd_vel_in', WARN, 'cmd_vel_in: rejected.*nan'))
    yield Fault('upstream command inf', inject.wire(cmd_vel_in=corrupt.not_finite(corrupt.INF)),
                ('replanner: cmd_vel_in', WARN, 'cmd_vel_in: rejected.*inf'))
    yield Fault('upstream command 1e300', inject.request(1e300, -1e300), None)
    yield Fault('predicted poses nan', inject.wire(predicted_path=inject.nan_path),
                ('replanner: predicted_path', WARN, 'predicted_path: rejected.*nan'))
    yield Fault('yaw-rate spikes of 125 rad/s', inject.wire(odom=corrupt.now_and_then(
        corrupt.setting('twist.twist.angular.z', 125.0), 10)),
        ('predictor: odom', WARN, 'yaw_rate is 125 rad/s'))


def _stamps() -> Iterator[Fault]:
    yield Fault('stamps repeat', lambda testbed: inject.wire(
        odom=corrupt.repeated_stamp())(testbed),
                ('predictor: odom', WARN, 'repeats an earlier one'))
    yield Fault('stamps out of order', lambda testbed: inject.wire(
        odom=corrupt.swapped())(testbed), None)
    yield Fault('odometry 2 s late', inject.shift(-2 * _SECOND_NS, 'odom', 'imu'),
                ('predictor: timing', WARN, r'odom'))
    yield Fault('odometry 2 s in the future', inject.shift(2 * _SECOND_NS, 'odom', 'imu'),
                ('predictor: timing', WARN, r'odom'))
    yield Fault('IMU 5 s in the future', inject.shift(5 * _SECOND_NS, 'imu'),
                ('predictor: imu', WARN, r'stamp is \d\.\d s ahead of odom'))
    yield Fault('stamps of zero', inject.wire(odom=inject.zero_stamp),
                ('predictor: odom', WARN, 'header.stamp is zero'))


def _traffic() -> Iterator[Fault]:
    yield Fault('10 % of all messages lost', inject.lossy(0.1), None)
    yield Fault('50 % of all messages lost', inject.lossy(0.5), None)
    yield Fault('odometry in bursts of 0.4 s', lambda testbed: inject.wire(
        odom=corrupt.bursts(0.4), imu=corrupt.bursts(0.4))(testbed), None)
    yield Fault('IMU at 2 kHz', inject.wire(
        imu=corrupt.multiplied(40, 0.02)), None)


def _robots() -> Iterator[Fault]:
    yield Fault('odometry teleports 5 m', inject.teleport(5.0),
                ('predictor: odom', WARN, r'its pose is [45](\.\d+)? m from the one before'))
    yield Fault('robot lifted', inject.wire(imu=corrupt.setting('angular_velocity.z', 0.0)), (
        'predictor: motion', WARN, r'odom turns by -?\d\.\d+ rad/s, the IMU by -?0\.00 rad/s'),
        seconds=4.0)
    yield Fault('robot blocked', lambda testbed: inject.wire(
        odom=corrupt.frozen(testbed), imu=corrupt.setting('angular_velocity.z', 0.0))(testbed), (
            'predictor: motion', WARN, 'commanded to move at .* odom shows no motion'),
            seconds=4.0)


def _overrides() -> Iterator[Fault]:
    """Yield overrides between the replanner and the robot, on a topic or unseen."""
    ways: tuple[tuple[str, Callable[[float, float], tuple[float, float]]], ...] = (
        ('emergency stop', lambda speed, yaw_rate: (0.0, 0.0)),
        ('monitor scales to 30 %', lambda speed, yaw_rate: (0.3 * speed, 0.3 * yaw_rate)),
        ('monitor scales to 70 %', lambda speed, yaw_rate: (0.7 * speed, 0.7 * yaw_rate)),
        ('joystick takes over', lambda speed, yaw_rate: (-0.1, 0.8)))
    for mode, name in (('compensate', ''), ('follow_path', 'on a plan: '), ('mppi', 'mppi: ')):
        for what, change in ways:
            if mode != 'compensate' and change is not ways[0][1]:
                continue  # after these the robot returns to its path, not to the requested twist
            for behind in ('topic', 'unseen'):
                words = 'commands the robot: ' if behind == 'topic' else \
                    'the robot moves at .* is expected'
                yield Fault(
                    f'{name}{what}, {"on a topic" if behind == "topic" else behind}',
                    inject.overridden(change),
                    None if mode == 'follow_path' and behind == 'unseen' else
                    ('replanner: robot_command', WARN, words), seconds=5.0, before=8.0,
                    setting=Setting(mode=mode, behind=behind))


def _network() -> Iterator[Fault]:
    yield Fault('robot hears with another QoS', inject.incompatible_robot,
                ('command_guard: cmd_vel', ERROR, r'cmd_vel.*incompatible QoS.*transient'),
                seconds=_FOUND)
    yield Fault('odom of another type', inject.odometry_of_another_type,
                ('predictor: odom', WARN, r'odom.*publishes std_msgs/msg/Header'),
                seconds=_FOUND)
    yield Fault('two sources of commands', inject.second_source,
                ('replanner: cmd_vel_in', WARN, '2 nodes publish on cmd_vel_in'),
                seconds=_FOUND)


def _operators(folder: FilePath) -> Iterator[Fault]:
    yield Fault('limit lowered while driving', inject.parameter(
        'replanner', 'max_velocity', [0.08, 0.0, 2.84], accepted=True), None)
    yield Fault('invalid limit while driving', inject.parameter(
        'replanner', 'max_velocity', [-1.0, 0.0, 2.84], accepted=False), None)
    yield Fault('fixed parameter while driving', inject.parameter(
        'predictor', 'model_path', 'other.pt', accepted=False), None)
    yield Fault('replanner: transitions in any order', inject.transitions('replanner', 1),
                ('command_guard: cmd_vel_in', WARN, 'cmd_vel_in stopped'))
    yield Fault('predictor: transitions in any order', inject.transitions('predictor', 2), _LOST)
    for what in ('truncated', 'unreadable', 'replaced', 'gone'):
        yield Fault(f'model file {what}', inject.model_file(what, folder), _LOST,
                    setting=inject.own_model(folder))


def _machine() -> Iterator[Fault]:
    yield Fault('disk full', inject.nothing, None, setting=Setting(full_disk=True))
    yield Fault('both cores busy', inject.busy, None)


def _on_a_plan() -> Iterator[Fault]:
    yield Fault('on a plan: odometry stops', inject.wire(odom=corrupt.nothing), (
        'replanner: odom', WARN, r'odom stopped \d+\.\d s ago'), setting=_ON_A_PLAN)
    yield Fault('on a plan: prediction stops', inject.wire(predicted_pose=corrupt.nothing), (
        'replanner: predicted_pose', WARN, r'predicted_pose stopped \d+\.\d s ago'),
        setting=_ON_A_PLAN)
    yield Fault('on a plan: plan of nan', inject.bad_plan, (
        'replanner: plan', WARN, 'plan: rejected.*nan'), setting=_ON_A_PLAN)
    yield Fault('on a plan: replanner killed', inject.ended('replanner', signal.SIGKILL), _SILENT,
                setting=_ON_A_PLAN)
