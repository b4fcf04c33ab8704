"""Metadata of a model file (`contract.json`), and their validation without the model."""

from dataclasses import dataclass, field, fields
import json
import math
import re
from typing import Any

from lstm_predictor.model.window import FEATURES, WINDOW_FEATURES, WindowConfig

SCHEMA = 3
_COUNTS = ('window', 'shortest', 'horizon')
_NUMBERS = ('rate', 'max_gap', 'command_memory', 'max_speed', 'max_yaw_rate')
_TEXTS = ('robots', 'data_sha256', 'commit', 'licence')
_TABLES = ('classical', 'scores', 'golden')
_SHA256 = re.compile('[0-9a-f]{64}|')


@dataclass(frozen=True)
class Contract:
    """Metadata of a model file."""

    rate: float  # of the grid [Hz]
    window: int  # rows
    shortest: int  # rows that odometry must cover, as WindowConfig
    horizon: int  # steps
    max_gap: float  # [s], as WindowConfig
    command_memory: float  # [s], as WindowConfig
    features: list[list[str]] = field(default_factory=lambda: [list(f) for f in FEATURES])
    robots: str = ''  # that it was trained for, in words
    max_speed: float = 0.0  # largest in training, 0: unknown [m/s]
    max_yaw_rate: float = 0.0  # likewise [rad/s]
    data_sha256: str = ''  # of the training data; empty: unknown
    commit: str = ''
    licence: str = 'Apache-2.0'
    classical: dict[str, Any] = field(default_factory=dict)  # constants of the baselines
    scores: dict[str, Any] = field(default_factory=dict)
    golden: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def window_config(self, max_speed: float, max_yaw_rate: float) -> WindowConfig:
        """Return the window that this model reads, of a robot with these limits."""
        return WindowConfig(
            rate=self.rate, length=self.window, shortest=self.shortest, max_gap=self.max_gap,
            command_memory=self.command_memory, max_speed=max_speed, max_yaw_rate=max_yaw_rate)


def parse(text: str | bytes) -> Contract:
    """
    Return the contract in a text; every key must be there.

    Raise ValueError that names what is wrong.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError('it is no table of names and values')
    names = [one.name for one in fields(Contract)]
    schema = content.get('schema')
    if schema != SCHEMA:
        raise ValueError(f'it has schema {schema!r}, this version reads {SCHEMA}')
    lacking = [name for name in names if name not in content]
    if lacking:
        raise ValueError(f'it lacks {", ".join(lacking)}')
    foreign = [name for name in content if name not in names]
    if foreign:
        raise ValueError(f'it has unknown names: {", ".join(foreign)}')
    contract = Contract(**content)
    _check(contract)
    contract.window_config(1.0, 1.0)
    return contract


def _check(contract: Contract) -> None:
    """Raise ValueError for a value of the wrong type or range."""
    for named, right, what in (
            (_COUNTS, lambda value: type(value) is int, 'a whole number'),
            (_NUMBERS, _is_size, 'a number of 0 or more'),
            (_TEXTS, lambda value: isinstance(value, str), 'a text'),
            (_TABLES, lambda value: isinstance(value, dict), 'a table of names and values')):
        for name in named:
            value = getattr(contract, name)
            if not right(value):
                raise ValueError(f'{name} must be {what}, is {str(value)[:60]!r}')
    if not contract.licence:
        raise ValueError('licence must not be empty')
    if not _SHA256.fullmatch(contract.data_sha256):
        raise ValueError(f'data_sha256 must be 64 hexadecimal digits, is '
                         f'{contract.data_sha256[:80]!r}')
    expected = [list(feature) for feature in FEATURES]
    # Features are only ever added at the end: an older file reads the first ones.
    if contract.features not in (expected[:WINDOW_FEATURES], expected):
        raise ValueError(f'it has features {contract.features}, this version makes {expected}')


def _is_size(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) \
        and math.isfinite(value) and value >= 0.0
