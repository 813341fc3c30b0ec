"""Landlock through three system calls: a rule set that lets files be read below a few paths and nothing else.

Every right that the running kernel can handle is handled, so newer kernels refuse more: TCP from ABI 4, abstract sockets and
signals beyond the sandbox from ABI 6.
"""

import ctypes
import os
import stat

from gasp_env.sandbox.guest.kernel import syscall

__all__ = ("abi", "restrict", "ruleset")

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Number of file rights by ABI."""
_NET_ALL, _SCOPE_ALL = 3, 3


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """The kernel's Landlock version.

    Raises:
        OSError: no Landlock.
    """
    return syscall("landlock_create_ruleset", _CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))


def ruleset(readable: list[str]) -> int:
    """Make the rule set and return its descriptor; paths that do not exist are left out.

    Args:
        readable: files, or directories whose every file may be read and listed.

    Raises:
        OSError: the kernel refuses.
    """
    version = abi()
    rules = _Ruleset((1 << _FS_BITS.get(version, 16)) - 1)
    rules.net = _NET_ALL if version >= 4 else 0
    rules.scoped = _SCOPE_ALL if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    made = syscall("landlock_create_ruleset", _CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    for path in readable:
        _allow(made, path, _READ_FILE | _READ_DIR)
    return made


def _allow(made: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= ~_READ_DIR
        beneath = _PathBeneath(rights, opened)
        syscall("landlock_add_rule", _ADD_RULE, made, _PATH_BENEATH, ctypes.byref(beneath), ctypes.c_uint32(0))
    finally:
        os.close(opened)


def restrict(made: int) -> None:
    """Put the rule set in force for this thread, for good; needs no_new_privs.

    Raises:
        OSError: the kernel refuses.
    """
    syscall("landlock_restrict_self", _RESTRICT, made, ctypes.c_uint32(0))
