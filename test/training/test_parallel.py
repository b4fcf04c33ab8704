"""How many processes work is spread over."""

import os

from lstm_predictor.training.parallel import processes

import pytest


def test_one_process_per_usable_cpu(monkeypatch):
    monkeypatch.delenv('LSTM_PREDICTOR_JOBS', raising=False)
    assert 1 <= processes() <= os.cpu_count()


def test_the_variable_decides(monkeypatch):
    monkeypatch.setenv('LSTM_PREDICTOR_JOBS', '3')
    assert processes() == 3


@pytest.mark.parametrize('value', ['0', '-1', 'all', '1.5'])
def test_a_bad_variable_is_named(monkeypatch, value):
    monkeypatch.setenv('LSTM_PREDICTOR_JOBS', value)
    with pytest.raises(ValueError, match=f'LSTM_PREDICTOR_JOBS must be 1 or more, is .{value}'):
        processes()
