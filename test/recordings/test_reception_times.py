"""What has no stamp is placed at the odometry's time of its receipt, whatever the pace."""

from lstm_predictor.common.clock_offset import ClockOffset
from lstm_predictor.recordings.reception_times import ReceptionTimes
import numpy as np
import pytest

SECOND = 1_000_000_000  # [ns]
RECORDER = 1_700_000_000 * SECOND  # the recorder's clock when the robot's showed ROBOT
ROBOT = 5 * SECOND
LATE = 0.004  # of every receipt [s]
RATE = 20.0  # [Hz]

PACES = {
    '1': lambda t: np.ones_like(t), '0.95': lambda t: 0.95 + 0.0 * t,
    '0.8': lambda t: 0.8 + 0.0 * t, '0.3': lambda t: 0.3 + 0.0 * t,
    '3': lambda t: 3.0 + 0.0 * t, 'swings': lambda t: 0.6 + 0.3 * np.sin(t),
    'steps': lambda t: np.where((t // 7.0) % 2.0, 0.3, 1.0),
    'halts': lambda t: np.where((t > 20.0) & (t < 20.05), 0.01, 1.0),
    'any': lambda t: np.random.default_rng(3).uniform(0.3, 1.0, 5000)[(t * RATE).astype(int)]}


class Recorder:
    """Receipts of odometry in simulated time that runs at a pace."""

    def __init__(self, pace, seconds=60.0):
        self._sim = np.arange(round(seconds * RATE) * 50 + 1) / (50.0 * RATE)
        self._wall = np.concatenate([[0.0], np.cumsum(
            np.diff(self._sim) / pace(self._sim[:-1] + 1e-6))])
        self.stamps = np.arange(round(seconds * RATE)) / RATE
        self.received = self.at(self.stamps)
        self.given = np.sort(np.random.default_rng(1).uniform(0.1, seconds - 0.1, 200))

    def at(self, times):
        return np.interp(times, self._sim, self._wall) + LATE

    def receipts(self):
        return ReceptionTimes(nanoseconds(self.received, RECORDER),
                              nanoseconds(self.stamps, ROBOT))

    def errors(self):
        """Return by how much [s] what was received at `given` is misplaced."""
        found = self.receipts().stamps(nanoseconds(self.at(self.given), RECORDER))
        return np.abs(1e-9 * (found - ROBOT) - self.given)


def nanoseconds(seconds, begin):
    return begin + np.round(1e9 * np.asarray(seconds)).astype(np.int64)


@pytest.mark.parametrize('seconds', [60.0, 8.0])
@pytest.mark.parametrize('pace', PACES)
def test_nothing_is_misplaced_at_any_pace(pace, seconds):
    recorder = Recorder(PACES[pace], seconds)
    assert recorder.errors().max() < 5e-4


@pytest.mark.parametrize('pace', ['0.95', '0.8', '0.3'])
def test_jitter_of_single_receipts_does_not_move_what_was_received(pace):
    random = np.random.default_rng(0)
    recorder = Recorder(PACES[pace])
    jitter = 0.008
    recorder.received += jitter * (random.uniform(size=len(recorder.received)) - 0.5)
    assert np.sqrt(np.mean(recorder.errors() ** 2)) < 0.15 * jitter


@pytest.mark.parametrize('pace', ['0.8', 'steps'])
def test_a_receipt_that_came_late_is_left_out(pace):
    recorder = Recorder(PACES[pace])
    recorder.received[50::100] += 0.03
    assert recorder.errors().max() < 0.01


@pytest.mark.parametrize('pace', ['1', '0.8'])
def test_odometry_that_was_held_up_does_not_move_commands_that_were_not(pace):
    """A second of it comes at once."""
    recorder = Recorder(PACES[pace])
    for begin in (200, 700):
        recorder.received[begin:begin + 20] = \
            recorder.received[begin + 20] - np.arange(20, 0, -1) * 1e-4
    assert recorder.errors().max() < 5e-4


def test_clocks_that_run_alike_are_compared_as_on_the_robot():
    """By the median of what came before, to the nanosecond, whatever the jitter."""
    random = np.random.default_rng(2)
    recorder = Recorder(PACES['1'], 30.0)
    recorder.received = np.maximum.accumulate(
        recorder.received + random.exponential(0.01, len(recorder.received)))
    received = nanoseconds(recorder.received, RECORDER)
    stamps = nanoseconds(recorder.stamps, ROBOT)
    asked = nanoseconds(np.linspace(0.1, 29.0, 100), RECORDER)
    found = recorder.receipts()
    assert not found.drifts.any() and not found.finding
    for one, stamp in zip(asked, found.stamps(asked)):
        offset = ClockOffset()
        for message in zip(received[received <= one].tolist(), stamps.tolist()):
            offset.add(*message)
        assert stamp == one - offset.offset_ns


def test_receipts_that_wander_and_come_back_are_no_drift():
    """As those of odometry that a recorder polls: 40 ms up and down within seconds."""
    recorder = Recorder(PACES['1'])
    recorder.received += 0.04 * np.sin(recorder.stamps * 2.1)
    assert not recorder.receipts().drifts.any()


def test_a_drift_is_named_with_its_pace():
    finding = Recorder(PACES['0.8']).receipts().finding
    assert 'drift apart by 14.99 s' in finding and '0.8 times' in finding
    assert len(finding.splitlines()) == 1


def test_what_came_before_the_first_odometry_is_placed_before_it():
    for pace in ('1', '0.8'):
        found = Recorder(PACES[pace]).receipts().stamps(np.array([RECORDER - SECOND]))
        assert 0.7 * SECOND < ROBOT - found[0] < 1.1 * SECOND


@pytest.mark.parametrize('count', [1, 2, 7])
def test_a_few_messages_are_enough(count):
    stamps = ROBOT + np.arange(count) * (SECOND // 20)
    found = ReceptionTimes(stamps + RECORDER, stamps)
    np.testing.assert_array_equal(found.stamps(stamps + RECORDER + 7), stamps + 7)


def test_messages_that_repeat_or_come_late_do_no_harm():
    recorder = Recorder(PACES['0.8'])
    recorder.stamps[100] = recorder.stamps[95]
    recorder.received[200] = recorder.received[199]
    assert np.quantile(recorder.errors(), 0.98) < 5e-4
