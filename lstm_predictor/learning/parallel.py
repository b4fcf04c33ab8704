"""The same work on many things, in as many processes as there are cores."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
import os
import signal
from typing import Any

from tqdm import tqdm


def each(work: Callable[[Any], Any], items: list[Any], processes: int, chunk: int = 1,
         **bar: Any) -> Iterator[Any]:
    """
    Yield what the work returns for each item, in order; the same for any number of processes.

    Each process is given `chunk` items at a time; `bar` goes to tqdm.
    """
    with _started(min(processes, len(items)), chunk) as mapped:
        yield from tqdm(mapped(work, items), total=len(items), **bar)


@contextmanager
def _started(processes: int, chunk: int) -> Iterator[Any]:
    """Give a `map` that uses so many processes of one thread; Ctrl-C reaches this one alone."""
    if processes == 1:
        yield map
        return
    threads = os.environ.get('OMP_NUM_THREADS')
    # What is ignored now is ignored by the processes that are started now.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ['OMP_NUM_THREADS'] = '1'
    try:
        # Not fork: the parent may have threads of torch.
        with get_context('spawn').Pool(processes) as pool:
            signal.signal(signal.SIGINT, interrupt)
            yield lambda work, items: pool.imap(work, items, chunksize=chunk)
    finally:
        signal.signal(signal.SIGINT, interrupt)
        del os.environ['OMP_NUM_THREADS']
        if threads is not None:
            os.environ['OMP_NUM_THREADS'] = threads
