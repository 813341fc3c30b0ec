"""A background event loop, for callers that are not async (trainers' callbacks, gymnasium, scripts).

The law of this module: one thread owns one loop; everything async of a run lives on it, from open to close.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ("LoopThread",)

T = TypeVar("T")


class LoopThread:
    """An event loop in a daemon thread.

    Example:
        with LoopThread() as loop:
            played = loop.run(arena.play_ticket(ticket, episode_id="1"))
    """

    def __init__(self, name: str = "gasp-env") -> None:
        """Start the thread and its loop."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its value; an interrupt of the caller cancels it.

        Raises:
            RuntimeError: the loop is closed, or the caller is on the loop's own thread (it would wait for itself).
        """
        if self.closed or threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("the loop is closed" if self.closed else "run() was called from the loop's own thread")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, source: AsyncIterator[T]) -> Iterator[T]:
        """Walk an async iterator from sync code."""
        while True:
            try:
                yield self.run(_next(source))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        """Cancel what still runs, end the thread, free the loop; twice is once."""
        if self.closed:
            return
        asyncio.run_coroutine_threadsafe(_drain(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)


async def _drain() -> None:
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
