"""
The table of all parameters, out of the dataclasses that they are.

`python3 -m lstm_predictor.nodes.parameters_table > docs/parameters.md` writes the page.
"""

from dataclasses import fields
import inspect
import re
from typing import Any

from lstm_predictor.nodes import command_guard_node, predictor_node, replanner_node

_NODES: dict[str, Any] = {
    'predictor': predictor_node, 'replanner': replanner_node, 'command_guard': command_guard_node}
_COLUMNS = '| parameter | default | live | meaning |\n|---|---|---|---|\n'
_HEAD = """# Parameters

Made by `python3 -m lstm_predictor.nodes.parameters_table > docs/parameters.md`. Triples are x, y
and yaw, as in Nav2. What is *live* can be set while driving; the rest is read when a node is
configured. `config/bringup.yaml` has all of them with these values. Those of the simulated robot
are in `config/simulation.yaml`, each with its unit; `slow_link` has `command_delay` [s] alone.

A parameter that a node does not have is an error where a file has it in the section of that node
(`replanner`, `/**/replanner`) or where it is on the command line, and a warning where it is in a
section for nodes of any name (`/**`, `/robot1/*`).
"""


def page() -> str:
    """Return the page in Markdown."""
    parts = [_HEAD]
    for name, node in _NODES.items():
        parts += [f'\n## {name}\n\n', _COLUMNS]
        parts += [_row(kind, item, node.LIVE) for kind in node.TYPES for item in fields(kind)]
    return ''.join(parts)


def _row(kind: type, item: Any, live: set[str]) -> str:
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    shown = '""' if default == '' else str(default).lower() \
        if isinstance(default, bool) else str(default)
    at_once = 'yes' if item.name in live else ''
    return f'| `{item.name}` | {shown} | {at_once} | {meaning(kind, item.name)} |\n'


def meaning(kind: type, name: str) -> str:
    """Return what the source says of a field: the comment behind it, or those above."""
    for owner in kind.__mro__:
        if name not in owner.__dict__.get('__annotations__', {}):
            continue
        lines = inspect.getsource(owner).splitlines()
        at = next(i for i, line in enumerate(lines) if re.match(rf'    {name}: ', line))
        above = []
        for line in reversed(lines[:at]):
            if not line.startswith('    # '):
                break
            above.insert(0, line[6:])
        behind = lines[at].partition('  # ')[2]
        return ' '.join([*above, behind]).strip().replace('|', '/')
    raise KeyError(name)


if __name__ == '__main__':
    print(page(), end='')
