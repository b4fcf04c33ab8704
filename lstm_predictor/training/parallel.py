"""The same work on many items, spread over processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
import os
import signal
from typing import Any

from tqdm import tqdm


def processes() -> int:
    """
    Return how many processes work is spread over: LSTM_PREDICTOR_JOBS, or one per usable CPU.

    Raise ValueError where the variable is not a whole number from 1 on.
    """
    chosen = os.environ.get('LSTM_PREDICTOR_JOBS')
    if chosen:
        if not chosen.isdecimal() or int(chosen) < 1:
            raise ValueError(f'LSTM_PREDICTOR_JOBS must be 1 or more, is {chosen!r}')
        return int(chosen)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def each(work: Callable[[Any], Any], items: list[Any], count: int, chunk: int = 1,
         **bar: Any) -> Iterator[Any]:
    """
    Yield what the work returns for each item, in order; the same for any `count` of processes.

    Each process is given `chunk` items at a time; `bar` goes to tqdm.
    """
    with _started(min(count, len(items)), chunk) as mapped:
        yield from tqdm(mapped(work, items), total=len(items), **bar)


@contextmanager
def _started(count: int, chunk: int) -> Iterator[Any]:
    """Give a `map` that uses so many processes of one thread; Ctrl-C reaches this one alone."""
    if count == 1:
        yield map
        return
    threads = os.environ.get('OMP_NUM_THREADS')
    # What is ignored now is ignored by the processes that are started now.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ['OMP_NUM_THREADS'] = '1'
    try:
        # Not fork: the parent may have threads of torch.
        with get_context('spawn').Pool(count) as pool:
            signal.signal(signal.SIGINT, interrupt)
            yield lambda work, items: pool.imap(work, items, chunksize=chunk)
    finally:
        signal.signal(signal.SIGINT, interrupt)
        del os.environ['OMP_NUM_THREADS']
        if threads is not None:
            os.environ['OMP_NUM_THREADS'] = threads
