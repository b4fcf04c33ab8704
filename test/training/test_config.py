"""A configuration of a training run says what it says, or is refused in one line."""

from lstm_predictor.common.config_io import ConfigError
from lstm_predictor.training.config import load, TrainConfig
import pytest


def test_what_a_file_does_not_say_is_the_default(tmp_path):
    path = tmp_path / 'train.yaml'
    path.write_text('horizon: 44\nfleet: {robots: 3, motor_lag: [0.1, 1]}\n'
                    'recordings: {test: [a, b]}\nstride: 3')
    config = load(path)
    assert (config.horizon, config.stride, config.fleet.robots) == (44, 3, 3)
    assert config.fleet.motor_lag == (0.1, 1) and config.recordings.test == ('a', 'b')
    assert config.optimiser == TrainConfig().optimiser
    assert config.fleet.seconds == TrainConfig().fleet.seconds


@pytest.mark.parametrize('text, words', [
    ('colour: green', ['colour']),
    ('window: {colour: green}', ['window', 'colour']),
    ('horizon: 0', ['horizon', '0']),
    ('window: {rate: -20.0}', ['rate', '-20']),
    ('augment: {open_share: 1.5}', ['open_share', '1.5']),
    ('fleet: {seconds: 1.0}', ['seconds', '1.0']),
    ('window: 5', ['window', '5']),
    ('horizon: far', ['horizon', 'far']),
    ('optimiser: {learning_rate: 1e-3}', ['learning_rate', '1e-3']),  # YAML reads a text
    ('optimiser: {epochs: 2.5}', ['epochs', '2.5']),
    ('fleet: {motor_lag: 0.3}', ['motor_lag', '0.3']),
    ('output: 5', ['output', '5']),
    ('optimiser: {cell: transformer}', ['cell', 'lstm', 'transformer']),
    ('optimiser: {truncate: 6}', ['truncate', 'fold', '6']),
    ('optimiser: {truncate: -4}', ['truncate', '-4']),
    ('optimiser: {fold: 3}', ['length', 'fold', '80']),
    ('optimiser: {truncate: 80}', ['truncate', '80']),
    ('window: {shortest: 90}', ['shortest', '90']),
    ('window: {length: 56}', ['length', '60', '56']),
    ('horizon: 30', ['horizon', '2 s', '30']),
    ('window: {rate: 5.0}', ['rate', '10 Hz', '5']),
    ('recordings: {share: 1.0}', ['share', '1.0']),
    ('recordings: {variants: -1}', ['variants', '-1']),
    ('recordings: {test: [1]}', ['test', '1']),
    ('stride: .nan', ['stride', 'nan']),
    ('', ['mapping']),
    ('- 1', ['mapping']),
    ('a: [', ['YAML']),
])
def test_a_wrong_configuration_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / 'train.yaml'
    path.write_text(text)
    assert_refused(path, *words)


def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path):
    assert_refused(tmp_path / 'none.yaml')
    assert_refused(tmp_path)
    (tmp_path / 'model.yaml').write_bytes(b'\xff\xfe\x00\x01')
    assert_refused(tmp_path / 'model.yaml')


def assert_refused(path, *words):
    with pytest.raises(ConfigError) as refused:
        load(path)
    text = str(refused.value)
    assert len(text.splitlines()) == 1 and str(path) in text
    for word in words:
        assert word in text
