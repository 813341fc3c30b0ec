"""Level L3: user, mount, network, IPC, host name and pid namespaces, once for a zygote.

The new root is an empty tmpfs with the readable paths bound into it, so host files do not exist there; the network
namespace has no interface; the zygote is process 1, so the kernel ends whatever it leaves behind.
"""

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress

from gasp_env.sandbox.guest.kernel import call, die_with_parent, syscall
from gasp_env.sandbox.guest.syscalls import NUMBERS

__all__ = ("NOBODY", "enter")

NOBODY = 65534
_NEW_NS, _NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_ALL = _NEW_NS | _NEW_CGROUP | _NEW_UTS | _NEW_IPC | _NEW_USER | _NEW_PID | _NEW_NET
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_MOUNT_SETATTR, _AT_RECURSIVE, _AT_FDCWD = 442, 0x8000, -100
_STAGES = ("/tmp", "/mnt", "/run", "/var")  # noqa: S108 - mount points, nothing is written there


def enter(paths: Sequence[str]) -> bool:
    """Move into new namespaces; returns in the new process 1, the caller's process stays behind and waits for it.

    Args:
        paths: files and directories that must exist inside, read-only.

    Returns:
        True if user NOBODY exists inside (only real root can map it).

    Raises:
        OSError: a step is refused; the message names it.
    """
    mapped = _unshare_mapped()
    _new_root(paths)
    call("sethostname", b"sandbox", 7)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    die_with_parent()
    return mapped


def _unshare_mapped() -> bool:
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        if _unshare_with_helper():
            return True
    else:
        call("unshare", _ALL)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    return False


def _unshare_with_helper() -> bool:
    """Unshare; a helper that stays outside maps root and NOBODY. False if it may not."""
    go_read, go_write = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(go_write)
        os._exit(_map_from_outside(go_read))
    os.close(go_read)
    try:
        call("unshare", _ALL)
    finally:
        os.write(go_write, b"g")
        os.close(go_write)
        _, status = os.waitpid(helper, 0)
    return status == 0


def _map_from_outside(go: int) -> int:
    os.read(go, 1)
    try:
        for kind in ("uid", "gid"):
            _write(f"/proc/{os.getppid()}/{kind}_map", f"0 0 1\n{NOBODY} {NOBODY} 1")
    except OSError:
        return 1
    return 0


def _write(path: str, text: str) -> None:
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(opened, text.encode())
        finally:
            os.close(opened)
    except OSError as error:
        raise OSError(error.errno, f"writing {path}: {error.strerror}") from None


def _new_root(paths: Sequence[str]) -> None:
    stage = next(path for path in _STAGES if os.path.isdir(path))
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    sources = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in paths if os.path.exists(path)]
    _mount("sandbox", stage, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for path, opened in sources:
        source = f"/proc/self/fd/{opened}"
        _make_place(stage + path, is_dir=os.path.isdir(source))
        _mount(source, stage + path, "", _MS_BIND | _MS_REC)
        os.close(opened)
    old = f"{stage}/.old"
    os.mkdir(old)
    syscall("pivot_root", NUMBERS[os.uname().machine]["pivot_root"], stage.encode(), old.encode())
    os.chdir("/")
    call("umount2", b"/.old", _MNT_DETACH)
    os.rmdir("/.old")
    _read_only()


def _make_place(path: str, *, is_dir: bool) -> None:
    os.makedirs(path if is_dir else os.path.dirname(path), exist_ok=True)
    if not is_dir:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    try:
        call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({kind or 'bind'} {source} on {target})") from None


def _read_only() -> None:
    """Make every mount read-only; kernels before 5.12 can't at once, there permissions and Landlock refuse writing."""
    attributes = (ctypes.c_uint64 * 4)(1, 0, 0, 0)  # MOUNT_ATTR_RDONLY
    flags = ctypes.c_uint(_AT_RECURSIVE)
    with suppress(OSError):
        syscall("mount_setattr", _MOUNT_SETATTR, _AT_FDCWD, b"/", flags, ctypes.byref(attributes), ctypes.c_size_t(32))
