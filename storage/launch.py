"""Turn into another program that ends with its parent and never runs as root.

Run as a script, by path and without the rest of the package:

    python -I -S launch.py PARENT_PID USER PROGRAM DIRECTORY [ARGUMENT ...]

USER is "" to stay who we are. The program gets SIGINT when the thread that started this script ends: for
PostgreSQL, a fast shutdown. It must be able to reach DIRECTORY. Where only root can get at the program or
the directory, it keeps root's privilege to read and search files (in containers without that one, to pass by
their permissions) and no other; that way no permission of a file has to be changed. Linux only, elsewhere
the program is started as it is.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1  # the only one of the two that a container has by default
CAP_DAC_READ_SEARCH = 2
CAPABILITIES_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main() -> None:
    parent, user, program, directory, *arguments = sys.argv[1:]
    if user:
        _become(user, reaching=(program, directory))
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("the parent ended meanwhile")
    os.execv(program, [program, *arguments])  # noqa: S606 - this is what the script is for


def _become(name: str, reaching: tuple[str, ...]) -> None:
    entry = pwd.getpwnam(name)
    libc = _libc()
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if all(os.access(path, os.X_OK) for path in reaching):
        _keep(libc, None)
        return
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if _keep(libc, capability):
            return
    sys.exit(f"user {name} cannot reach {' or '.join(reaching)}")


def _keep(libc: ctypes.CDLL, capability: int | None) -> bool:
    """Drop every capability but this one, and hand it on to the program. False when we do not have it."""
    header = _Header(CAPABILITIES_VERSION_3, 0)
    sets = (_Capabilities * 2)()
    if capability is not None:
        mask = 1 << capability
        libc.capget(ctypes.byref(header), sets)
        if not sets[0].permitted & mask:
            return False
        sets[0] = _Capabilities(mask, mask, mask)
        sets[1] = _Capabilities(0, 0, 0)
    if libc.capset(ctypes.byref(header), sets) != 0:
        return False
    return capability is None or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
