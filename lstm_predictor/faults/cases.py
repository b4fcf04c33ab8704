"""What can go wrong, what the diagnostics have to say of it, and what is to come of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
import signal

from lstm_predictor.faults import act, spoil
from lstm_predictor.faults.act import Act
from lstm_predictor.faults.stage import Setting, Stage

_HOUR_NS = 3_600_000_000_000
_SECOND_NS = 1_000_000_000
WARN, ERROR = 1, 2


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong while the robot drives as fast as it may."""

    name: str
    act: Callable[[Stage], Act]
    says: tuple[str, int, str] | None  # entry of the diagnostics, least level, words (regex)
    bound: float = 0.5  # until zero or what is asked for now [s]
    setting: Setting = Setting()
    seconds: float = 2.5  # that it lasts


# Who misses the first announcements of a new participant hears the next after 3 s.
_FOUND = 6.0  # [s]
_PLAIN, _SIM_TIME = Setting(), Setting(sim_time=True)
_ON_A_PLAN = Setting(mode='follow_path')
_LOST = ('replanner: predicted_path', WARN, r'predicted_path stopped \d+\.\d s ago')
_NO_ODOMETRY = ('predictor: odom', ERROR, r'odom stopped \d+\.\d s ago')
_SILENT = ('command_guard: cmd_vel_in', WARN, r'cmd_vel_in stopped \d+\.\d s ago')


def all_faults(folder: FilePath) -> list[Fault]:
    """Return every fault; `folder` is for the files of some."""
    return [*_silences(), *_processes(), *_clocks(), *_values(), *_stamps(), *_traffic(),
            *_robots(), *_network(), *_operators(folder), *_machine(), *_on_a_plan()]


def _silences() -> Iterator[Fault]:
    yield Fault('odometry stops', act.wire(odom=spoil.nothing), _NO_ODOMETRY)
    yield Fault('IMU stops', act.wire(imu=spoil.nothing),
                ('predictor: imu', WARN, r'imu stopped \d+\.\d s ago'))
    yield Fault('upstream command stops', act.silence,
                ('replanner: cmd_vel_in', ERROR, r'cmd_vel_in stopped \d+\.\d s ago'))
    yield Fault('prediction stops', act.wire(
        predicted_path=spoil.nothing, predicted_pose=spoil.nothing), _LOST)


def _processes() -> Iterator[Fault]:
    yield Fault('predictor killed', act.ended('predictor', signal.SIGKILL), _LOST)
    yield Fault('predictor hung', act.hung('predictor'), _LOST)
    yield Fault('replanner killed', act.ended('replanner', signal.SIGKILL), _SILENT)
    yield Fault('replanner hung', act.hung('replanner'), _SILENT)
    for number in (signal.SIGTERM, signal.SIGINT):
        yield Fault(f'replanner gets {number.name}', act.ended('replanner', number), _SILENT,
                    bound=0.2)
    yield Fault('guard gets SIGTERM', act.ended('command_guard', signal.SIGTERM),
                None, bound=0.2)


def _clocks() -> Iterator[Fault]:
    jumped = ('predictor: timing', WARN, r'the clock of odom jumped by [-+]\d+\.\d+ s')
    yield Fault('bag loops', act.clock(-20 * _SECOND_NS), jumped, setting=_SIM_TIME)
    yield Fault('clock jumps 1 h ahead', act.clock(_HOUR_NS), jumped, setting=_SIM_TIME)
    yield Fault('clock steps 0.5 s back', act.clock(-_SECOND_NS // 2), jumped,
                setting=_SIM_TIME)
    yield Fault('/clock stops', act.stop_clock,
                ('predictor: timing', ERROR, r'/clock stopped \d+\.\d s ago'),
                setting=_SIM_TIME)
    yield Fault('simulator reset', act.reset, jumped, setting=_SIM_TIME)
    yield Fault('/clock is negative for once', act.negative_clock, None, setting=_SIM_TIME)
    yield Fault('use_sim_time without /clock', act.nothing,
                ('replanner: timing', ERROR, 'nothing is heard on /clock'),
                setting=Setting(sim_time=True, clock=False))
    yield Fault('base clock jumps 1 h ahead', act.shift(_HOUR_NS, 'odom', 'imu'),
                ('predictor: timing', WARN, 'odom'))
    yield Fault('Pi and base clocks 0.3 s apart', act.shift(-3 * _SECOND_NS // 10, 'odom'),
                ('predictor: timing', WARN, r'is stamped 0\.[23]\d s ahead of odom'),
                seconds=4.0)


def _values() -> Iterator[Fault]:
    odometry = ('predictor: odom', WARN, 'odom: refused')
    for value, words in ((spoil.NAN, 'nan'), (spoil.INF, 'inf'), (1e300, r'1e\+300')):
        yield Fault(f'odometry speed {value}', act.wire(
            odom=spoil.setting('twist.twist.linear.x', value)), (*odometry[:2], words))
    for value in (spoil.NAN, 1e300):
        yield Fault(f'odometry position {value}', act.wire(
            odom=spoil.setting('pose.pose.position.x', value)),
            ('predictor: odom', WARN, r'odom.*(nan|m from the one before)'))
    yield Fault('odometry quaternion zero', act.wire(odom=spoil.quaternion(0.0)), odometry)
    yield Fault('odometry quaternion 3 long', act.wire(odom=spoil.quaternion(3.0)), None)
    for value in (-1.0, 1.7e308, spoil.INF):
        yield Fault(f'odometry covariances {value}', act.wire(
            odom=spoil.covariance('pose', value)), None)
    for value in (-1.0, 1.7e308, spoil.NAN):
        yield Fault(f'prediction covariances {value}', act.wire(
            predicted_pose=spoil.covariance('pose', value)),
            ('replanner: replanning', WARN, r'slowed to \d+ %'))
    yield Fault('IMU yaw rate nan', act.wire(
        imu=spoil.setting('angular_velocity.z', spoil.NAN)),
        ('predictor: imu', WARN, 'imu: refused.*nan'))
    yield Fault('upstream command nan', act.wire(cmd_vel_in=spoil.not_finite(spoil.NAN)),
                ('replanner: cmd_vel_in', WARN, 'cmd_vel_in: refused.*nan'))
    yield Fault('upstream command inf', act.wire(cmd_vel_in=spoil.not_finite(spoil.INF)),
                ('replanner: cmd_vel_in', WARN, 'cmd_vel_in: refused.*inf'))
    yield Fault('upstream command 1e300', act.ask(1e300, -1e300), None)
    yield Fault('predicted poses nan', act.wire(predicted_path=act.spoilt_path),
                ('replanner: predicted_path', WARN, 'predicted_path: refused.*nan'))
    yield Fault('yaw-rate spikes of 125 rad/s', act.wire(odom=spoil.now_and_then(
        spoil.setting('twist.twist.angular.z', 125.0), 10)),
        ('predictor: odom', WARN, 'yaw_rate is 125 rad/s'))


def _stamps() -> Iterator[Fault]:
    yield Fault('stamps repeat', lambda stage: act.wire(odom=spoil.repeated_stamp())(stage),
                ('predictor: odom', WARN, 'repeats an earlier one'))
    yield Fault('stamps out of order', lambda stage: act.wire(odom=spoil.swapped())(stage), None)
    yield Fault('odometry 2 s late', act.shift(-2 * _SECOND_NS, 'odom', 'imu'),
                ('predictor: timing', WARN, r'odom'))
    yield Fault('odometry 2 s in the future', act.shift(2 * _SECOND_NS, 'odom', 'imu'),
                ('predictor: timing', WARN, r'odom'))
    yield Fault('IMU 5 s in the future', act.shift(5 * _SECOND_NS, 'imu'),
                ('predictor: imu', WARN, r'stamp is \d\.\d s ahead of odom'))
    yield Fault('stamps of zero', act.wire(odom=act.zero_stamp),
                ('predictor: odom', WARN, 'header.stamp is zero'))


def _traffic() -> Iterator[Fault]:
    yield Fault('10 % of all messages lost', act.lossy(0.1), None)
    yield Fault('50 % of all messages lost', act.lossy(0.5), None)
    yield Fault('odometry in bursts of 0.4 s', lambda stage: act.wire(
        odom=spoil.bursts(0.4), imu=spoil.bursts(0.4))(stage), None)
    yield Fault('IMU at 2 kHz', act.wire(
        imu=spoil.multiplied(40, 0.02)), None)


def _robots() -> Iterator[Fault]:
    yield Fault('odometry teleports 5 m', act.teleport(5.0),
                ('predictor: odom', WARN, r'its pose is [45](\.\d+)? m from the one before'))
    yield Fault('robot lifted', act.wire(imu=spoil.setting('angular_velocity.z', 0.0)), (
        'predictor: motion', WARN, r'odom turns by -?\d\.\d+ rad/s, the IMU by -?0\.00 rad/s'),
        seconds=4.0)
    yield Fault('robot blocked', lambda stage: act.wire(
        odom=spoil.frozen(stage), imu=spoil.setting('angular_velocity.z', 0.0))(stage), (
            'predictor: motion', WARN, 'told to move at .* odom says that it stands'), seconds=4.0)


def _network() -> Iterator[Fault]:
    yield Fault('robot hears with another QoS', act.deaf_robot,
                ('command_guard: cmd_vel', ERROR, r'cmd_vel.*quality of service.*transient'),
                seconds=_FOUND)
    yield Fault('odom of another type', act.foreign_odometry,
                ('predictor: odom', WARN, r'odom.*sends std_msgs/msg/Header'),
                seconds=_FOUND)
    yield Fault('two sources of commands', act.second_source,
                ('replanner: cmd_vel_in', WARN, '2 nodes send on cmd_vel_in'),
                seconds=_FOUND)


def _operators(folder: FilePath) -> Iterator[Fault]:
    yield Fault('limit lowered while driving', act.parameter(
        'replanner', 'max_velocity', [0.08, 0.0, 2.84], accepted=True), None)
    yield Fault('invalid limit while driving', act.parameter(
        'replanner', 'max_velocity', [-1.0, 0.0, 2.84], accepted=False), None)
    yield Fault('fixed parameter while driving', act.parameter(
        'predictor', 'model_path', 'other.pt', accepted=False), None)
    yield Fault('replanner: transitions in any order', act.transitions('replanner', 1),
                ('command_guard: cmd_vel_in', WARN, 'cmd_vel_in stopped'))
    yield Fault('predictor: transitions in any order', act.transitions('predictor', 2), _LOST)
    for what in ('truncated', 'unreadable', 'replaced', 'gone'):
        yield Fault(f'model file {what}', act.model_file(what, folder), _LOST,
                    setting=act.own_model(folder))


def _machine() -> Iterator[Fault]:
    yield Fault('disk full', act.nothing, None, setting=Setting(full_disk=True))
    yield Fault('both cores busy', act.busy, None)


def _on_a_plan() -> Iterator[Fault]:
    yield Fault('on a plan: odometry stops', act.wire(odom=spoil.nothing), (
        'replanner: odom', WARN, r'odom stopped \d+\.\d s ago'), setting=_ON_A_PLAN)
    yield Fault('on a plan: prediction stops', act.wire(predicted_pose=spoil.nothing), (
        'replanner: predicted_pose', WARN, r'predicted_pose stopped \d+\.\d s ago'),
        setting=_ON_A_PLAN)
    yield Fault('on a plan: plan of nan', act.bad_plan, (
        'replanner: plan', WARN, 'plan: refused.*nan'), setting=_ON_A_PLAN)
    yield Fault('on a plan: replanner killed', act.ended('replanner', signal.SIGKILL), _SILENT,
                setting=_ON_A_PLAN)
