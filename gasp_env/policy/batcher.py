"""One worker thread that samples the rows of many callers together.

The law of this module: rows leave in order of arrival, a caller is answered exactly once, and a fault of the model
reaches only the callers whose rows were in that batch.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from gasp_env.errors import PolicyError
from gasp_env.policy.decode import Row

__all__ = ("Batcher",)

logger = logging.getLogger(__name__)

GATHER_S = 0.003
"""How long a batch waits for company, in seconds; about one step of a small model."""


@dataclass(slots=True, eq=False)
class _Ask:
    """The rows of one caller."""

    rows: Sequence[Row]
    done: Future[None]
    left: int
    """Rows still to be sampled; 0 once the caller is answered."""


class Batcher:
    """Gathers rows into batches and runs them one after the other."""

    def __init__(self, run: Callable[[Sequence[Row]], None], *, max_rows: int, max_tokens: int) -> None:
        """Hold what samples; the thread starts with the first rows.

        Args:
            run: fills rows in place.
            max_rows: rows a batch, at most.
            max_tokens: bound on rows times (prompt + new tokens) of a batch; a single row always goes through.
        """
        self._run, self._max_rows, self._max_tokens = run, max_rows, max_tokens
        self._waiting: deque[Row] = deque()
        self._asks: dict[Row, _Ask] = {}
        self._wake = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False

    def submit(self, rows: Sequence[Row]) -> Future[None]:
        """Queue the rows of one caller; the future is done when all are sampled.

        Raises:
            PolicyError: closed.
        """
        ask = _Ask(rows, Future(), len(rows))
        with self._wake:
            if self._closed:
                raise PolicyError("the policy is closed; open it again")
            self._asks |= dict.fromkeys(rows, ask)
            self._waiting.extend(rows)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="gasp-env-policy", daemon=True)
                self._worker.start()
            self._wake.notify_all()
        return ask.done

    def close(self) -> None:
        """End after the token in work; who still waits gets a `PolicyError`. May be called twice."""
        with self._wake:
            self._closed = True
            left = list(self._asks)
            for row in left:
                row.dropped.set()
            self._wake.notify_all()
        self._fail(left, PolicyError("the policy was closed while it was sampling"))
        if self._worker is not None:
            self._worker.join()

    def _work(self) -> None:
        while not self._closed:
            batch = self._take()
            if batch:
                self._sample(batch)

    def _take(self) -> list[Row]:
        """The next batch; nothing if all who waited have left, or at the end."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closed)
            until = time.monotonic() + GATHER_S
            while len(self._waiting) < self._max_rows and not self._closed and (left := until - time.monotonic()) > 0:
                self._wake.wait(left)
            batch, longest = list[Row](), 0
            while self._waiting and len(batch) < self._max_rows:
                row = self._waiting[0]
                longest = max(longest, len(row.prompt_ids) + row.max_new)
                if batch and longest * (len(batch) + 1) > self._max_tokens:
                    break
                self._waiting.popleft()
                if not row.dropped.is_set():
                    batch.append(row)
            return batch

    def _sample(self, batch: Sequence[Row]) -> None:
        """Sample and answer; the one place where a fault of any kind in the model becomes a `PolicyError`."""
        try:
            self._run(batch)
        except Exception as error:  # noqa: BLE001 - the boundary to foreign code
            out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
            if not (out_of_memory and len(batch) > 1):
                self._fail(batch, _told(error))
                return
        else:
            self._answer(batch)
            return
        logger.warning("a batch of %d completions does not fit the memory; going on by halves", len(batch))
        self._sample(batch[: len(batch) // 2])
        self._sample(batch[len(batch) // 2 :])

    def _answer(self, batch: Sequence[Row]) -> None:
        with self._wake:
            asks = [ask for row in batch if (ask := self._asks.pop(row, None)) is not None]
            ready = list[_Ask]()
            for ask in asks:
                ask.left -= 1
                if not ask.left:
                    ready.append(ask)
        for ask in ready:
            if ask.done.set_running_or_notify_cancel():
                ask.done.set_result(None)

    def _fail(self, batch: Sequence[Row], error: PolicyError) -> None:
        with self._wake:
            asks = {ask for row in batch if (ask := self._asks.get(row)) is not None}
            for ask in asks:
                for row in ask.rows:
                    row.dropped.set()
                    self._asks.pop(row, None)
        for ask in asks:
            if ask.done.set_running_or_notify_cancel():
                ask.done.set_exception(error)


def _told(error: Exception) -> PolicyError:
    if isinstance(error, PolicyError):
        return error
    told = PolicyError(f"the model failed: {type(error).__name__}: {error}")
    told.__cause__ = error
    return told
