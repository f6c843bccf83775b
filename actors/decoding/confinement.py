"""What a worker gives up once it has loaded its libraries: files, sockets, processes, rank, endless memory.

It keeps one socket and a fixed amount of memory. Of the system's calls it keeps those that need neither a
file nor another process (on x86-64 and ARM64; elsewhere the limits alone hold): all others fail with EPERM,
and new threads with them. FFmpeg wants none when it cannot ask how many processors there are.
"""

import ctypes
import os
import platform
import resource
import struct
from contextlib import suppress
from pathlib import Path

from actors.parentage import die_with_parent

__all__ = ["allow_processor_time", "confine"]

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
NOBODY = 65534
NICENESS = 10

# linux/audit.h, linux/bpf_common.h, linux/seccomp.h
INSTRUCTION = struct.Struct("HBBI")
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # DENY carries EPERM

# read write close fstat lseek getcwd mmap mprotect munmap brk mremap madvise rt_sigaction rt_sigprocmask
# rt_sigreturn sendto recvfrom futex sched_yield nanosleep clock_nanosleep clock_gettime gettimeofday
# getrusage getpid gettid tgkill prlimit64 getrandom exit exit_group; on x86-64 time and setrlimit, too.
_X86_64 = (
    "0 1 3 5 8 79 9 10 11 12 25 28 13 14 15 44 45 202 24 35 230 228 96 98 39 186 234 302 318 60 231 201 160"
)
_ARM64 = (
    "63 64 57 80 62 17 222 226 215 214 216 233 134 135 139 206 207 98 124 101 115"
    " 113 169 165 172 178 131 261 278 93 94"
)
_ARCHITECTURES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _ARM64)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _prctl(option: int, argument: object, last: object = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, last, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def confine(*, memory: int, parent: int) -> None:
    """Give it all up, for good. `memory` is in bytes, beyond what is mapped now. Raises OSError."""
    os.environ.clear()
    os.nice(NICENESS)
    with suppress(OSError):  # short of memory, the system had better end a worker than the gateway
        Path("/proc/self/oom_score_adj").write_text("1000")
    mapped = int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # what is open stays so
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may keep it from that
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        die_with_parent(parent)  # forgotten with the rank
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    program = _filter(platform.machine())
    if program is not None:
        instructions = len(program) // INSTRUCTION.size
        _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(_Program(instructions, program)))


def _filter(machine: str) -> bytes | None:
    """The system calls allowed, as a program for the kernel."""
    if machine not in _ARCHITECTURES:
        return None
    architecture, names = _ARCHITECTURES[machine]
    allowed = [int(each) for each in names.split()]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        *((EQUAL, len(allowed) - at, 0, number) for at, number in enumerate(allowed)),
        (RETURN, 0, 0, DENY),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(INSTRUCTION.pack(*step) for step in steps)


def allow_processor_time(seconds: float) -> None:
    """Have the kernel end this process when it has computed for so long from now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    until = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
