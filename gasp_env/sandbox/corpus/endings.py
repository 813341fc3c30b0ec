"""Groups A (leaving early) and B (values that lie)."""

from gasp_env.sandbox.corpus.record import Attack, Verdict, attack

__all__ = ("ATTACKS",)

_OK, _ERROR, _GONE = Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.NO_RESULT
_FORGED, _ODD = Verdict.PROTOCOL_ERROR, Verdict.UNENCODABLE

_A = (
    attack("A1", "sys.exit(0) while loading", "import sys\nsys.exit(0)", _ERROR),
    attack("A2", "sys.exit(0) when called", "import sys\ndef f(x):\n    sys.exit(0)", _ERROR),
    attack("A3", "os._exit(0)", "import os\ndef f(x):\n    os._exit(0)", _GONE),
    attack("A4a", "raise SystemExit", "def f(x):\n    raise SystemExit", _ERROR),
    attack("A4b", "raise KeyboardInterrupt", "def f(x):\n    raise KeyboardInterrupt", _ERROR),
    attack("A4c", "raise GeneratorExit", "def f(x):\n    raise GeneratorExit", _ERROR),
    attack("A5", "os.abort", "import os\ndef f(x):\n    os.abort()", _ERROR),
    attack(
        "A6a",
        "leave at exit, after the result",
        "import atexit, os\natexit.register(os._exit, 0)\ndef f(x):\n    return x",
        _OK,
        _FORGED,
    ),
    attack(
        "A6b",
        "leave in __del__, after the result",
        "import os\nclass D:\n    def __del__(self): os._exit(0)\nkept = D()\ndef f(x):\n    return x",
        _OK,
        _FORGED,
    ),
)

_B = (
    attack(
        "B1",
        "an object that equals everything",
        "class Any:\n    __eq__ = lambda s, o: True\n    __hash__ = lambda s: 0\ndef f(x):\n    return Any()",
        _ODD,
    ),
    attack(
        "B2a",
        "an int that equals everything",
        "class Liar(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\ndef f(x):\n    return Liar(1)",
        _ODD,
    ),
    attack(
        "B2b",
        "a str that equals everything",
        "class Liar(str):\n    __eq__ = lambda s, o: True\n    __hash__ = str.__hash__\n    __repr__ = lambda s: '1'\n"
        "def f(x):\n    return [Liar('a')]",
        _ODD,
    ),
    attack(
        "B2c",
        "a list that equals everything",
        "class Liar(list):\n    __eq__ = lambda s, o: True\n    __len__ = lambda s: 3\ndef f(x):\n    return Liar()",
        _ODD,
    ),
    attack(
        "B3",
        "a repr that looks like an answer",
        "class R:\n    __repr__ = lambda s: '42'\ndef f(x):\n    return R()",
        _ODD,
    ),
    attack(
        "B4",
        "__reduce__ that runs code in who unpickles",
        "import os\nclass R:\n    def __reduce__(self): return os.system, ('touch @DIR@/made',)\ndef f(x):\n    return R()",
        _ODD,
    ),
    attack(
        "B5",
        "a class that says it is int",
        "class M(type):\n    __name__ = 'int'\n    __instancecheck__ = lambda c, o: True\n"
        "class Fake(metaclass=M):\n    __class__ = property(lambda s: int)\ndef f(x):\n    return Fake()",
        _ODD,
    ),
    attack("B6a", "a generator", "def f(x):\n    return (i for i in range(3))", _ODD),
    attack("B6b", "a function", "def f(x):\n    return lambda: 1", _ODD),
    attack("B6c", "a module", "import os\ndef f(x):\n    return os", _ODD),
    attack("B7a", "a list that holds itself", "def f(x):\n    a = []\n    a.append(a)\n    return a", _ODD),
    attack("B7b", "a dict that holds itself", "def f(x):\n    a = {}\n    a[1] = a\n    return a", _ODD),
    attack(
        "B8",
        "200,000 lists deep",
        "def f(x):\n    a = []\n    for _ in range(200000): a = [a]\n    return a",
        _ODD,
        _ERROR,
    ),
    attack("B9", "nan, inf, -0.0", "def f(x):\n    return [float('nan'), float('inf'), -0.0]", _OK),
    attack("B10", "an int of 6,001 digits", "def f(x):\n    return 10 ** 6000", _OK),
    attack("B11a", "lone surrogate and NUL", "def f(x):\n    return '\\ud800\\x00'", _OK),
    attack("B11b", "a string of 10 MB", "def f(x):\n    return 'a' * (10 << 20)", Verdict.OUTPUT_LIMIT),
    attack(
        "B12",
        "a set of a million",
        "def f(x):\n    return set(range(1 << 20))",
        Verdict.OUTPUT_LIMIT,
        _ODD,
        Verdict.TIMEOUT,
        Verdict.MEMORY,
    ),
)

ATTACKS: tuple[Attack, ...] = _A + _B
