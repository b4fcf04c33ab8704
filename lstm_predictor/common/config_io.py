"""YAML files into frozen dataclasses, with their names and types checked."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, TypeVar

from lstm_predictor.common.errors import LstmPredictorError

import yaml

Config = TypeVar('Config')

_NAMES = {str: 'text', bool: 'true or false', int: 'a whole number', float: 'a number'}
_PLURALS = {str: 'texts', bool: 'truth values', int: 'whole numbers', float: 'numbers'}


class ConfigError(LstmPredictorError, ValueError):
    """A configuration that cannot be used; its text is one line that says why."""


def load(kind: type[Config], path: Path, complete: bool = False,
         renamed: Mapping[str, str] = {}) -> Config:
    """
    Return the dataclass in a YAML file; nested ones are mappings.

    Fields that the file leaves out have their defaults, unless it must be `complete`. `renamed`
    has new names by old ones. Raise ConfigError that names what is wrong.
    """
    config: Config = _build(kind, _read(path), str(path), complete, renamed)
    return config


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from None
    except UnicodeDecodeError:
        raise ConfigError(f'{path} is not a text file') from None
    except yaml.YAMLError as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(f'{path} is not YAML: {reason}') from None


def _build(kind: Any, content: Any, where: str, complete: bool, renamed: Mapping[str, str]
           ) -> Any:
    if not isinstance(content, dict):
        raise ConfigError(f'{where}: expected a mapping, found {content!r}')
    kinds = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    for name in content:
        if name in renamed:
            raise ConfigError(f'{where}: {name} is now called {renamed[name]}')
        if name not in names:
            raise ConfigError(f'{where}: {name} does not exist; there is {", ".join(names)}')
    lacking = [name for name in names if name not in content]
    if complete and lacking:
        raise ConfigError(f'{where}: {lacking[0]} is missing')
    values = {}
    for name, value in content.items():
        if is_dataclass(kinds[name]):
            values[name] = _build(kinds[name], value, f'{where}: {name}', complete, renamed)
        elif _fits(value, kinds[name]):
            values[name] = _converted(value, kinds[name])
        else:
            raise ConfigError(f'{where}: {name} must be {_name(kinds[name])}, is {value!r}')
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f'{where}: {error}') from None


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return isinstance(value, list) and (_is_open(kind) or len(value) == len(get_args(kind))) \
            and all(_fits(item, get_args(kind)[0]) for item in value)
    return type(value) in ((int, float) if kind is float else (kind,))


def _converted(value: Any, kind: Any) -> Any:
    """Return a value that fits: lists as tuples, and whole numbers as floats where asked for."""
    if get_origin(kind) is tuple:
        return tuple(_converted(item, get_args(kind)[0]) for item in value)
    return float(value) if kind is float else value


def _name(kind: Any) -> str:
    if get_origin(kind) is tuple:
        count = '' if _is_open(kind) else f'{len(get_args(kind))} '
        return f'a list of {count}{_PLURALS[get_args(kind)[0]]}'
    return _NAMES[kind]


def _is_open(kind: Any) -> bool:
    """Return whether a tuple is of any length; those here have one type of items."""
    return get_args(kind)[-1] is Ellipsis
