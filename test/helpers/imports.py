"""What a module imports."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / 'lstm_predictor'


def names_imported(path):
    """Return the full name of everything that the module at `path` imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno}: write the import in full'
            names += [f'{node.module}.{alias.name}' for alias in node.names]
    return [name.split('.') for name in names]
