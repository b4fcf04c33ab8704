"""
Where the overrides of a node's parameters are from.

rcl merges parameter files and command line and keeps no record of what came from where. A section
for nodes of any name, such as `/**`, may have what only some of them declare; the section of one
node, and the command line, may not.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
import re
from typing import Any

import yaml

# How launch_ros names the file that it writes of the parameters of one node. Where that node has
# no name in the launch file, the section in it is `/**`, and still it is the node's own.
_OF_LAUNCH = 'launch_params_'


def from_wildcards(arguments: Sequence[str], node: str) -> dict[str, str]:
    """
    Return where each parameter is from that a node has from wildcard sections alone.

    `node` is its full name, `arguments` those of the process.
    """
    files, given = _ros_arguments(arguments)
    own = {name for pattern, name in given if _reaches(pattern, node)}
    wild: dict[str, str] = {}
    for file in files:
        for section, name in _parameters(file):
            if not _reaches(section, node):
                continue
            if _is_wildcard(section) and not _is_of_one_node(file):
                wild.setdefault(name, f'{section} in {file}')
            else:
                own.add(name)
    return {name: source for name, source in wild.items() if name not in own}


def _ros_arguments(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the parameter files, and (node, name) of each parameter on the command line."""
    files, given, of_ros, words = [], [], False, iter(arguments)
    for word in words:
        if word in ('--ros-args', '--'):
            of_ros = word == '--ros-args'
        elif of_ros and word == '--params-file':
            files.append(next(words, ''))
        elif of_ros and word in ('-p', '--param'):
            node, _, name = next(words, '').partition(':=')[0].rpartition(':')
            given.append((node or '/**', name))
    return files, given


def _parameters(file: str) -> Iterator[tuple[str, str]]:
    """Yield section and name of every parameter in a file."""
    try:
        content = yaml.safe_load(Path(file).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return  # rcl reports that itself
    for path, values in _sections(content, ''):
        for name in _names(values, ''):
            yield path, name


def _sections(content: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of each node in a file, with its namespaces, and its values."""
    for key, value in content.items() if isinstance(content, dict) else ():
        if key == 'ros__parameters':
            yield path, value
        else:
            yield from _sections(value, f'{path}/{str(key).strip("/")}')


def _names(values: Any, above: str) -> Iterator[str]:
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict):
            yield from _names(value, f'{above}{key}.')
        else:
            yield f'{above}{key}'


def _reaches(pattern: str, node: str) -> bool:
    """Return whether a section is for a node: `*` is one name, `**` any number of them."""
    tokens = [token for token in pattern.split('/') if token]
    words = {'*': '/[^/]+', '**': '(?:/[^/]+)*'}
    return bool(re.fullmatch(
        ''.join(words.get(token, '/' + re.escape(token)) for token in tokens), node))


def _is_wildcard(section: str) -> bool:
    """Return whether the name of the node is left open; in `/**/predictor` only its place is."""
    return '*' in section.rpartition('/')[2]


def _is_of_one_node(file: str) -> bool:
    return Path(file).name.startswith(_OF_LAUNCH)
