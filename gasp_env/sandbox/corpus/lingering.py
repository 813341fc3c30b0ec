"""Groups A and E: ending early and never ending."""

from gasp_env.sandbox.corpus.record import Verdict, hostile
from gasp_env.types import InputStyle

__all__ = ("ATTACKS",)

_ERROR = (Verdict.RUNTIME_ERROR,)
_TIMEOUT = (Verdict.TIMEOUT,)
_STDIN = InputStyle.STDIN

_EARLY = (
    hostile(
        id="A7",
        tries="an exception whose __str__ never ends",
        allowed=_TIMEOUT,
        program="class Bad(Exception):\n    def __str__(self):\n        while True: pass\ndef f(x): raise Bad",
    ),
    hostile(
        id="A8",
        tries="an exception that raises when described",
        allowed=(Verdict.RUNTIME_ERROR, Verdict.NO_RESULT),
        program=(
            "class Bad(SyntaxError):\n    @property\n    def lineno(self): raise SystemExit(0)\n"
            "    def __str__(self): raise SystemExit(0)\ndef f(x): raise Bad"
        ),
    ),
    hostile(
        id="A9",
        tries="a message of lone surrogates and terminal codes",
        allowed=_ERROR,
        program="def f(x): raise type('E\\ud800', (Exception,), {})('\\udfff\\x1b]0;owned\\x07' * 99)",
    ),
)

_TIME = (
    hostile(
        id="E6b",
        tries="sleep just under the limit in each of 20 tests",
        allowed=(Verdict.OK, Verdict.TIMEOUT, Verdict.SKIPPED),
        inputs=("1",) * 20,
        program="import time\ndef f(x): time.sleep(1.5)",
    ),
    hostile(
        id="E6c",
        tries="sleep for ever in each of 20 tests",
        allowed=(Verdict.TIMEOUT, Verdict.SKIPPED),
        inputs=("1",) * 20,
        program="import time\ndef f(x): time.sleep(1e6)",
    ),
    hostile(
        id="E9",
        tries="burn CPU in threads to outrun the clock of one",
        allowed=_TIMEOUT,
        program=(
            "import threading\ndef spin():\n    while True: pass\ndef f(x):\n"
            "    for _ in range(4): threading.Thread(target=spin).start()\n    threading.Event().wait()"
        ),
    ),
    hostile(
        id="E10",
        tries="a parent frame that never comes back: block every signal and wait",
        allowed=_TIMEOUT,
        program="import signal\ndef f(x):\n    signal.pthread_sigmask(0, range(1, 65))\n    signal.sigwait([10])",
    ),
)

ATTACKS = (*_EARLY, *_TIME)
