"""The kernel's isolation layers through ctypes: Landlock, seccomp, namespaces, capabilities. Standard library only.

Each function does one thing and raises OSError where the kernel refuses; what is refused is probed, never assumed.
"""

import ctypes
import os
import struct

__all__ = (
    "drop_capabilities",
    "enter_namespaces",
    "landlock_abi",
    "landlock_restrict",
    "landlock_rules",
    "new_root",
    "no_new_privileges",
    "seccomp",
    "set_death_signal",
    "set_undumpable",
)

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_FS_READ = (1 << 2) | (1 << 3)  # READ_FILE, READ_DIR


def _checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option, value):
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def no_new_privileges():
    """Executables gain nothing from here on; seccomp and Landlock ask for it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def set_death_signal(signal):
    """Be killed when the parent thread ends."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def set_undumpable():
    """No core file, and nothing of this process in /proc for others."""
    _prctl(_PR_SET_DUMPABLE, 0)


def seccomp(program):
    """Install a filter on this thread and all it makes."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0), "seccomp")


def drop_capabilities(machine):
    """Give up every capability of this thread, for good (with no-new-privileges)."""
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    data = ctypes.create_string_buffer(24)
    _checked(_syscall(_CAPSET[machine], header, data), "capset")


def landlock_abi():
    """Version of Landlock, 0 where there is none."""
    return max(0, _syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


def landlock_rules(readable):
    """A ruleset that refuses every file access but reading below ``readable``; returns its descriptor."""
    abi = landlock_abi()
    if not abi:
        raise OSError(38, "landlock: not in this kernel, or switched off")
    fs = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)) - 1
    net = 3 if abi >= 4 else 0
    scoped = 3 if abi >= 6 else 0
    attributes = struct.pack("QQQ", fs, net, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = _checked(
        _syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)), "landlock"
    )
    for path in readable:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        rights = _FS_READ if os.path.isdir(path) else 1 << 2
        rule = struct.pack("=Qi", rights, handle)
        _checked(_syscall(_LANDLOCK_ADD, ctypes.c_int(ruleset), 1, rule, ctypes.c_uint(0)), f"landlock {path}")
        os.close(handle)
    return ruleset


def landlock_restrict(ruleset):
    """Put this thread under a ruleset."""
    _checked(_syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0)), "landlock")


def enter_namespaces():
    """Leave the host's mounts, network, IPC, names and (for children) process ids; needs root or user namespaces.

    Returns True if that took a user namespace of its own.
    """
    wanted = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET
    if os.geteuid() == 0 and _libc.unshare(wanted) == 0:
        return False
    user, group = os.geteuid(), os.getegid()
    _checked(_libc.unshare(wanted | _NEW_USER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def _mount(source, target, kind, flags, data=None):
    coded = [None if one is None else os.fsencode(one) for one in (source, target, kind, data)]
    _checked(_libc.mount(coded[0], coded[1], coded[2], ctypes.c_ulong(flags), coded[3]), f"mount {target}")


def new_root(place, shown, machine):
    """Make a root of a read-only tmpfs at ``place`` that holds only the paths ``shown``, read-only, and move into it."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", place, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for path in shown:
        _show(path, place + path)
    old = os.path.join(place, ".old")
    os.mkdir(old)
    _checked(_syscall(_PIVOT_ROOT[machine], os.fsencode(place), os.fsencode(old)), "pivot_root")
    os.chdir("/")
    _checked(_libc.umount2(b"/.old", 2), "umount")
    os.rmdir("/.old")
    _mount(None, "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _show(path, target):
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.mkdir(target, 0o755)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(path, target, None, _MS_BIND | _MS_REC)
    if not path.startswith("/dev/"):  # devices stay writable; Landlock decides
        _mount(None, target, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _kept_flags(path))


def _kept_flags(path):
    """Flags of the source that a user namespace may not take away."""
    flags = os.statvfs(path).f_flag
    return flags & (8 | 1024 | 2048) | ((1 << 21) if flags & 4096 else 0)
