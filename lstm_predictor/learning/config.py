"""The configuration of a training run: a YAML file into frozen dataclasses."""

from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lstm_predictor.core.arx import ROWS
from lstm_predictor.core.window import WindowConfig
from lstm_predictor.learning.augment import AugmentConfig
from lstm_predictor.learning.fit import OptimiserConfig
from lstm_predictor.learning.fleet import FleetConfig
from lstm_predictor.learning.metrics import HORIZONS, steps_of
from lstm_predictor.learning.recordings import RecordingsConfig

import yaml


class ConfigError(ValueError):
    """A configuration that cannot be used; its text is one line that says why."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run, from robots to model file."""

    output: str = 'models/turtlebot3.pt'  # the card goes beside it, with the ending .md
    robots: str = 'small differential-drive robots'  # for the contract, in words
    horizon: int = 40  # steps of the window's grid
    stride: float = 4.0  # steps between the windows of one simulated robot
    window: WindowConfig = WindowConfig()
    fleet: FleetConfig = FleetConfig()
    validation_robots: int = 120  # to choose and to calibrate, of other seeds
    test_robots: int = 40  # of the ranges that are the default, for the scores in the card
    recordings: RecordingsConfig = RecordingsConfig()  # of use where a folder of them is named
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        """Raise ValueError that names the field and its value."""
        for name in ('horizon', 'stride', 'validation_robots', 'test_robots'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} must be positive, is {getattr(self, name)}')
        if self.window.length % self.optimiser.fold:
            raise ValueError(f'length of the window must be a multiple of fold '
                             f'({self.optimiser.fold}), is {self.window.length}')
        if self.window.length < self.horizon + ROWS:
            raise ValueError(
                f'length of the window must be at least {self.horizon + ROWS} rows (horizon, and '
                f'what the linear predictor reads), is {self.window.length}')
        if self.optimiser.truncate >= self.window.length:
            raise ValueError(f'truncate must be less than the {self.window.length} rows of the '
                             f'window, is {self.optimiser.truncate}')
        if steps_of(HORIZONS[-1:], self.window.rate)[0] >= self.horizon:
            raise ValueError(f'horizon must reach {HORIZONS[-1]:g} s, which are scored; it is '
                             f'{self.horizon} steps at {self.window.rate:g} Hz')
        if steps_of(HORIZONS[:1], self.window.rate)[0] < 0:
            raise ValueError(f'rate must be at least {1.0 / HORIZONS[0]:g} Hz, is '
                             f'{self.window.rate:g}')


def load(path: Path) -> TrainConfig:
    """Return the configuration in a YAML file; raise ConfigError that names what is wrong."""
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from None
    except UnicodeDecodeError:
        raise ConfigError(f'{path} is not a text file') from None
    except yaml.YAMLError as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(f'{path} is not YAML: {reason}') from None
    return _build(TrainConfig, content, str(path))


def _build(kind: Any, content: Any, where: str) -> Any:
    """Return the dataclass `kind` of a mapping, nested ones included."""
    if not isinstance(content, dict):
        raise ConfigError(f'{where}: expected a mapping, found {content!r}')
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    values = {}
    for key, value in content.items():
        if key not in names:
            raise ConfigError(f'{where}: {key} does not exist; there is {", ".join(names)}')
        if is_dataclass(hints[key]):
            value = _build(hints[key], value, f'{where}: {key}')
        elif isinstance(value, list):
            value = tuple(value)
        if not _fits(value, hints[key]):
            raise ConfigError(f'{where}: {key} must be {_name(hints[key])}, is {value!r}')
        values[key] = value
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{where}: {error}') from None


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis:
        return isinstance(value, tuple) and all(_fits(v, get_args(kind)[0]) for v in value)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and len(value) == len(get_args(kind)) and all(
            map(_fits, value, get_args(kind)))
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_dataclass(kind) or type(value) is kind


def _name(kind: Any) -> str:
    return str(kind) if get_origin(kind) else str(kind.__name__)
