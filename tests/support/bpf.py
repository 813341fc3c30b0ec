"""A classic-BPF interpreter, as the kernel's seccomp runs it, and names for its answers."""

import struct

LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_STRICTNESS = [KILL, ERRNO, ALLOW]
"""Killing wins over an error, an error over allowing."""


def instructions(program):
    """Code, jump if true, jump if false, value."""
    return [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]


def run(program, *, arch, number, args=()):
    """The answer for one system call; the instruction pointer is left 0."""
    padded = [*args, *(0 for _ in range(6 - len(args)))]
    data = struct.pack("<iIQ6Q", number - (1 << 32) if number >= 1 << 31 else number, arch, 0, *padded)
    lines, at, accumulator = instructions(program), 0, 0
    while True:
        code, yes, no, value = lines[at]
        at += 1
        if code == LOAD:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == AND:
            accumulator &= value
        elif code == EQUAL:
            at += yes if accumulator == value else no
        elif code == AT_LEAST:
            at += yes if accumulator >= value else no
        elif code == RETURN:
            return value
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


def strictest(*answers):
    """What the kernel does where several filters are in force."""
    return min(answers, key=lambda answer: _STRICTNESS.index(answer & 0xFFFF0000))
