"""Groups C and H: reading what only the parent knows, and reaching the network."""

from gasp_env.sandbox.corpus.record import ALIVE, FAULTS, REFUSED, Verdict, hostile

__all__ = ("ATTACKS",)

_TEXTS = "import re\nHEX = re.compile('[0-9a-f]{32}')\n"
_READ = "def read(path):\n    with open(path, 'rb') as file: return file.read(64)\n"

_ANSWERS = (
    hostile(
        id="C3b",
        tries="import the trainer's package",
        allowed=(Verdict.RUNTIME_ERROR,),
        program="import gasp_env\ndef f(x): return dir(gasp_env)",
    ),
    hostile(
        id="C4d",
        tries="read a file of the user, the password file, the root folder",
        allowed=ALIVE,
        nothing=True,
        program=_READ
        + "def f(x): return tried(canary=lambda: read('@FILE@'), passwd=lambda: read('/etc/passwd'),\n"
        + "    shadow=lambda: read('/etc/shadow'), link=lambda: read('/proc/self/root' + '@FILE@'),\n"
        + "    relative=lambda: read('../../../../../..' + '@FILE@'), root=lambda: os.listdir('/'),\n"
        + "    cache=lambda: os.listdir(os.path.expanduser('~/.cache')), folder=lambda: os.listdir('@DIR@'))",
    ),
    hostile(
        id="C6c",
        tries="take a descriptor of the parent",
        allowed=REFUSED,
        program="def f(x): return syscall(438, syscall(434, @PID@, 0), 0, 0)",
    ),
    hostile(
        id="C7b",
        tries="read the environment from memory",
        allowed=ALIVE,
        program=(
            "import ctypes\ndef f(x):\n    names = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')\n"
            "    found, at = [], 0\n    while names and names[at]:\n        found.append(names[at])\n        at += 1\n    return found"
        ),
    ),
    hostile(
        id="C8b",
        tries="use inherited descriptors",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import stat\ndef f(x):\n    found = []\n    for fd in range(4, 4096):\n"
            "        try: found.append([fd, stat.S_IFMT(os.fstat(fd).st_mode)])\n        except OSError: pass\n    return found"
        ),
    ),
    hostile(
        id="C9b",
        tries="find the previous job in the heap",
        allowed=ALIVE,
        program=(
            "import gc\ndef f(x):\n    texts = (str(o)[:9999] for o in gc.get_objects() if type(o) in (dict, list, tuple, str))\n"
            "    return [text[:200] for text in texts if 'PREVIOUS' + '-JOB' in text][:9]"
        ),
    ),
    hostile(
        id="C9c",
        tries="find the previous job in raw memory",
        allowed=(Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.TIMEOUT),
        program=(
            "import ctypes\ndef f(x):\n    mark = b'PREVIOUS' + b'-JOB'\n    base = id(f) & ~0xfffff\n"
            "    data = ctypes.string_at(base, 1 << 20)\n    at = data.find(mark)\n    return data[at:at + 60] if at >= 0 else b''"
        ),
    ),
    hostile(
        id="C10b",
        tries="shared memory: /dev/shm, System V, POSIX queues",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def shared():\n    from multiprocessing import shared_memory\n"
            "    shared_memory.SharedMemory(name='@MARK@', create=True, size=64)\n"
            "def f(x): return tried(posix=shared, sysv=lambda: syscall(29 if X86 else 194, 4711, 4096, 0o1666),\n"
            "    queue=lambda: syscall(240 if X86 else 180, b'q', 0o102, 0o666, None),\n"
            "    message=lambda: syscall(68 if X86 else 186, 4711, 0o1666))"
        ),
    ),
    hostile(
        id="C11",
        tries="read what is below the standard library's folder but not of it",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def f(x):\n    base = os.path.dirname(os.__file__)\n"
            "    return tried(site=lambda: os.listdir(base + '/site-packages'), dist=lambda: os.listdir(base + '/dist-packages'),\n"
            "        test=lambda: os.listdir(base + '/test'))"
        ),
    ),
)

_NETWORK = (
    hostile(
        id="H1b",
        tries="TCP to a server of the host",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import socket\ndef f(x): return tried(four=lambda: socket.create_connection(('127.0.0.1', @TCP@), 1),\n"
            "    any=lambda: socket.create_connection(('0.0.0.0', @TCP@), 1), make=lambda: socket.socket(),\n"
            "    six=lambda: socket.socket(socket.AF_INET6), listen=lambda: socket.create_server(('127.0.0.1', 0)))"
        ),
    ),
    hostile(
        id="H2b",
        tries="UDP to a server of the host, names",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import socket\ndef send():\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "    s.sendto(b'x', ('127.0.0.1', @UDP@))\n"
            "def f(x): return tried(send=send, name=lambda: socket.getaddrinfo('example.com', 80))"
        ),
    ),
    hostile(
        id="H3c",
        tries="Unix sockets, by path and abstract",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import socket\ndef reach(kind, to):\n    s = socket.socket(socket.AF_UNIX, kind)\n"
            "    s.connect(to)\n    s.send(b'x')\ndef f(x):\n"
            "    return tried(abstract=lambda: reach(1, '\\0' + '@UNIX@'),\n"
            "        packets=lambda: reach(5, '\\0' + '@UNIX@'))"
        ),
    ),
    hostile(
        id="H3d",
        tries="turn an allowed socket pair into a way out",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import socket\ndef f(x):\n    a, b = socket.socketpair()\n    to = '\\0' + '@UNIX@'\n"
            "    return tried(connect=lambda: a.connect(to), sendto=lambda: a.sendto(b'x', to), bind=lambda: a.bind('\\0mine'),\n"
            "        passed=lambda: socket.send_fds(a, [b'x'], [3]), datagram=lambda: socket.socketpair(1, 2))"
        ),
    ),
    hostile(
        id="H4d",
        tries="netlink, vsock, packet and raw sockets",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import socket\ndef f(x): return tried(netlink=lambda: socket.socket(16, 3, 0), vsock=lambda: socket.socket(40, 1, 0),\n"
            "    packet=lambda: socket.socket(17, 3, 3), raw=lambda: socket.socket(2, 3, 1), alg=lambda: socket.socket(38, 5, 0))"
        ),
    ),
    hostile(
        id="H6b",
        tries="an asyncio loop (allowed: it needs a socket pair only)",
        allowed=(Verdict.OK,),
        program="import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 1\ndef f(x): return asyncio.run(main())",
    ),
    hostile(
        id="H7",
        tries="io_uring, to make calls that no filter sees",
        allowed=(Verdict.FORBIDDEN,),
        program="def f(x): return syscall(425, 8, b'\\0' * 120)",
    ),
    hostile(
        id="H8",
        tries="connect and send by bare system calls",
        allowed=FAULTS,
        nothing=True,
        program=(
            "def f(x): return tried(connect=lambda: syscall(42 if X86 else 203, 0, b'\\2\\0' + b'\\0' * 14, 16),\n"
            "    sendmsg=lambda: syscall(46 if X86 else 211, 0, None, 0), accept=lambda: syscall(43 if X86 else 202, 0, None, None),\n"
            "    bind=lambda: syscall(49 if X86 else 200, 0, None, 0), sendmmsg=lambda: syscall(307 if X86 else 269, 0, None, 0, 0))"
        ),
    ),
)

ATTACKS = (*_ANSWERS, *_NETWORK)
