"""Groups B and D: values that lie, and forged reports."""

from gasp_env.sandbox.corpus.record import FAULTS, Verdict, hostile

__all__ = ("ATTACKS",)

_NOT_DATA = (Verdict.UNENCODABLE,)
_BROKEN = (Verdict.PROTOCOL_ERROR,)
_OK = (Verdict.OK,)
_ODD = (Verdict.OK, Verdict.PROTOCOL_ERROR, Verdict.NO_RESULT, Verdict.RUNTIME_ERROR, Verdict.UNENCODABLE)

_VALUES = (
    *(
        hostile(
            id=f"B2{letter}",
            tries=f"a subclass of {kind} equal to everything",
            allowed=_NOT_DATA,
            program=(
                f"class Same({kind}):\n    def __eq__(self, other): return True\n"
                f"    def __hash__(self): return 0\n    def __repr__(self): return '1'\n"
                f"def f(x): return [Same()]"
            ),
        )
        for letter, kind in zip("defghi", ("int", "str", "list", "dict", "float", "tuple"), strict=True)
    ),
    hostile(
        id="B5b",
        tries="a spoofed __class__ and metaclass",
        allowed=(Verdict.UNENCODABLE, Verdict.RUNTIME_ERROR),
        program=(
            "class Meta(type):\n    def __instancecheck__(cls, other): return True\n"
            "    def __eq__(cls, other): return True\n    def __hash__(cls): return hash(int)\n    __name__ = 'int'\n"
            "class S(metaclass=Meta):\n    __class__ = int\n    def __int__(self): return 1\ndef f(x): return S()"
        ),
    ),
    hostile(
        id="B13",
        tries="one list a million times (a small object, a huge text)",
        allowed=(Verdict.OUTPUT_LIMIT, Verdict.UNENCODABLE, Verdict.TIMEOUT, Verdict.MEMORY),
        program="def f(x):\n    a = [1]\n    for _ in range(40): a = [a, a]\n    return a",
    ),
)

_LEAVE = "    os._exit(0)\n"
_COLLIDE = "'<' + ','.join(sorted('i%x;' % (k * (2 ** 61 - 1)) for k in range(100_000))) + '>'"

_FRAMES = (
    hostile(
        id="D2c",
        tries="a second report of the test",
        allowed=_BROKEN,
        program="def f(x):\n    os.write(3, frame(2, 0, b'i1;'))\n    return 1",
    ),
    hostile(
        id="D4c",
        tries="fewer reports than tests",
        allowed=_BROKEN,
        inputs=("1", "2"),
        program="def f(x):\n    os.write(3, frame(5, 0))\n" + _LEAVE,
    ),
    hostile(
        id="D8b",
        tries="trace the harness",
        allowed=_ODD,
        program=(
            "seen = []\ndef spy(frame, event, arg):\n    seen.append(str(frame.f_locals)[:99])\n"
            "    for name in ('body', 'value', 'kind'):\n        if name in frame.f_locals: frame.f_locals[name] = b'i1;'\n"
            "    return spy\nsys.settrace(spy)\nsys.setprofile(spy)\n"
            "at = sys._getframe()\nwhile at:\n    at.f_trace = spy\n    at = at.f_back\ndef f(x): return len(seen)"
        ),
    ),
    hostile(
        id="D8c",
        tries="rewrite the harness's own functions",
        allowed=_ODD,
        program=(
            "def f(x):\n    at = sys._getframe()\n    while at:\n"
            "        for name in list(at.f_globals):\n            if name in ('encode', '_send', '_report', 'FRAME'):\n"
            "                at.f_globals[name] = lambda *a: 's\"owned\"'\n        at = at.f_back\n    return 1"
        ),
    ),
    hostile(
        id="D9d",
        tries="an error with a number beyond every range",
        allowed=(Verdict.PROTOCOL_ERROR, Verdict.RUNTIME_ERROR),
        program=(
            'def f(x):\n    os.write(3, frame(4, 0, b\'{"verdict":"runtime_error","line":1e400,"type":{}}\') + frame(5, 0))\n'
            + _LEAVE
        ),
    ),
    hostile(
        id="D9e",
        tries="a million nested brackets",
        allowed=_BROKEN,
        program=(
            "def f(x):\n    text = frame(2, 0, b'[' * 1_000_000)\n    while text: text = text[os.write(3, text):]\n"
            + _LEAVE
        ),
    ),
    hostile(
        id="D9f",
        tries="a set of 100,000 integers with one hash (stalls whoever builds it)",
        allowed=_BROKEN,
        program=(
            f"def f(x):\n    text = frame(2, 0, ({_COLLIDE}).encode())\n"
            "    while text: text = text[os.write(3, text):]\n    os.write(3, frame(5, 0))\n" + _LEAVE
        ),
    ),
    hostile(
        id="D9g",
        tries="values in a form that no encoder writes",
        allowed=_BROKEN,
        program="def f(x):\n    os.write(3, frame(2, 0, b'<i2;,i1;>') + frame(5, 0))\n" + _LEAVE,
    ),
    hostile(
        id="D9h",
        tries="forge the sandbox's own failure, to be masked instead of scored",
        allowed=_BROKEN,
        program='def f(x):\n    os.write(3, frame(4, 0, b\'{"verdict":"sandbox_failure"}\') + frame(5, 0))\n' + _LEAVE,
    ),
    hostile(
        id="D9i",
        tries="forge a verdict that only the parent may give",
        allowed=_BROKEN,
        program='def f(x):\n    os.write(3, frame(4, 0, b\'{"verdict":"ok"}\') + frame(5, 0))\n' + _LEAVE,
    ),
    hostile(
        id="D10b",
        tries="close every descriptor, then exit",
        allowed=(Verdict.NO_RESULT,),
        program="def f(x):\n    os.closerange(0, 256)\n" + _LEAVE,
    ),
    hostile(
        id="D12",
        tries="random bytes instead of reports",
        allowed=_BROKEN,
        program="import random\ndef f(x):\n    os.write(3, random.Random(1).randbytes(4096))\n" + _LEAVE,
    ),
    hostile(
        id="D13",
        tries="undo the report that every layer is in force",
        allowed=(Verdict.PROTOCOL_ERROR,),
        program="os.write(3, frame(0, 0))\ndef f(x): return 1",
    ),
    hostile(
        id="D14",
        tries="swallow the harness: replace os.write",
        allowed=FAULTS,
        program="os.write = lambda fd, data: len(data)\ndef f(x): return 1",
    ),
)

ATTACKS = (*_VALUES, *_FRAMES)
