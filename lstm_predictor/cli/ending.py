"""How a command ends that cannot do what it was asked for, or that is interrupted."""

from collections.abc import Callable
from functools import wraps
import sys

Main = Callable[[list[str] | None], int]


def ends_with_a_line(*errors: type[Exception], on_ctrl_c: str = 'interrupted'
                     ) -> Callable[[Main], Main]:
    """Have a `main` say these errors in one line and return 1, and return 130 for Ctrl-C."""

    def decorate(main: Main) -> Main:
        @wraps(main)
        def ended(args: list[str] | None = None) -> int:
            try:
                return main(args)
            except errors as error:
                print(f'error: {error}', file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print(f'\n{on_ctrl_c}', file=sys.stderr)
                return 130
        return ended

    return decorate
