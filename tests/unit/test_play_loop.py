"""The background loop of sync callers."""

import asyncio
import threading

import pytest

from gasp_env.play.loop import LoopThread


async def _add(a, b):
    await asyncio.sleep(0)
    return a + b


def test_runs_coroutines_and_closes_clean():
    before = threading.active_count()
    with LoopThread() as loop:
        assert loop.run(_add(1, 2)) == 3
        assert threading.active_count() == before + 1
    assert loop.closed and threading.active_count() == before
    loop.close()


def test_an_error_reaches_the_caller():
    async def fail():
        raise ValueError("told")

    with LoopThread() as loop, pytest.raises(ValueError, match="told"):
        loop.run(fail())


def test_after_close_it_says_so():
    loop = LoopThread()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.run(_add(1, 2))


def test_from_its_own_thread_it_refuses_instead_of_hanging():
    with LoopThread() as loop:

        async def inner():
            return loop.run(_add(1, 2))

        with pytest.raises(RuntimeError, match="own thread"):
            loop.run(inner())


def test_close_cancels_what_runs():
    ended = threading.Event()

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def start():
        return asyncio.create_task(forever())

    loop = LoopThread()
    task = loop.run(start())
    loop.run(_add(0, 0))
    loop.close()
    assert ended.is_set() and task.cancelled()


def test_walks_an_async_iterator():
    async def count():
        for number in range(3):
            yield await _add(number, 0)

    with LoopThread() as loop:
        assert list(loop.iterate(count())) == [0, 1, 2]
