"""The end of a command by a known error or by Ctrl-C: one line and an exit code."""

from collections.abc import Callable
from functools import wraps
import sys

from lstm_predictor.common.errors import LstmPredictorError

Main = Callable[[list[str] | None], int]


def report_errors(*errors: type[Exception], on_ctrl_c: str = 'interrupted'
                  ) -> Callable[[Main], Main]:
    """
    Have a `main` print known errors in one line and return 1, and return 130 for Ctrl-C.

    Known are those of this package and of the operating system, and `errors` beside them.
    """
    known = (LstmPredictorError, OSError, *errors)

    def decorate(main: Main) -> Main:
        @wraps(main)
        def ended(args: list[str] | None = None) -> int:
            try:
                return main(args)
            except known as error:
                print(f'error: {error}', file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print(f'\n{on_ctrl_c}', file=sys.stderr)
                return 130
        return ended

    return decorate
