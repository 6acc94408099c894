"""What Linux offers for child processes and Python does not: dying with the parent, and changing the user."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal

_libc = ctypes.CDLL(None, use_errno=True)
# Looked up here and not in a new child: another thread may hold the loader's lock when it is forked.
_prctl, _capset = _libc.prctl, _libc.capset

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityData(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def die_with_parent(parent: int, by: signal.Signals = signal.SIGTERM) -> None:
    """In a new child: have the kernel send ``by`` when the parent ends, however it ends.

    A change of the user clears this wish, so it comes after ``become``.
    """
    _prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the wish was made
        os._exit(1)


def become(user: pwd.struct_passwd, *, through_closed_folders: bool) -> None:
    """In a new child of root: become ``user`` for good.

    With ``through_closed_folders`` the process may still pass folders that only root may enter, so that an installation
    below a home folder works without opening that folder to everybody. It keeps this one capability and no other.
    """
    if through_closed_folders:
        _prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if through_closed_folders:
        data = (_CapabilityData * 2)()
        data[0].effective = data[0].permitted = data[0].inheritable = 1 << _CAP_DAC_OVERRIDE
        _capset(ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION_3, 0)), ctypes.byref(data))
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
