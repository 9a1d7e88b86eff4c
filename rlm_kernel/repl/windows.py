"""`Windows`: a `System` of handles and jobs, without signals for one process.

It has never been run: it is written after the documentation of Windows and of Python, and only its types are checked
(`mypy --platform win32`). On other systems the module is empty.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from rlm_kernel.repl.zygote import ENVIRONMENT

if sys.platform == "win32":
    import msvcrt
    from ctypes import wintypes

    _EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
    _PROCESS_MEMORY = 0x0100  # JOB_OBJECT_LIMIT_PROCESS_MEMORY
    _KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    _DIE_ON_FAULT = 0x0400  # JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION: a crash shows no window

    class _Basic(ctypes.Structure):
        _fields_ = (
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _Extended(ctypes.Structure):
        _fields_ = (
            ("Basic", _Basic),
            ("IoCounters", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    def _kernel32() -> ctypes.WinDLL:
        library = ctypes.WinDLL("kernel32", use_last_error=True)
        library.CreateJobObjectW.argtypes = [ctypes.c_void_p, wintypes.LPCWSTR]
        library.CreateJobObjectW.restype = wintypes.HANDLE
        library.SetInformationJobObject.argtypes = [
            wintypes.HANDLE,
            ctypes.c_int,
            ctypes.c_void_p,
            wintypes.DWORD,
        ]
        library.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
        library.TerminateJobObject.argtypes = [wintypes.HANDLE, wintypes.UINT]
        library.CloseHandle.argtypes = [wintypes.HANDLE]
        return library

    class Job:
        """A job without a name, held by this process alone. Each process in it may have that much memory."""

        def __init__(self, memory: int | None) -> None:
            self._library = _kernel32()
            self._handle = self._library.CreateJobObjectW(None, None)
            limits = _Extended()
            limits.Basic.LimitFlags = _KILL_ON_CLOSE | _DIE_ON_FAULT
            if memory is not None:
                limits.Basic.LimitFlags |= _PROCESS_MEMORY
                limits.ProcessMemoryLimit = memory
            size = ctypes.sizeof(limits)
            done = self._handle and self._library.SetInformationJobObject(
                self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), size
            )
            if not done:
                raise ctypes.WinError(ctypes.get_last_error())

        def take(self, process: subprocess.Popen[bytes]) -> None:
            """Puts the process, and those that it starts, into the job."""
            if not self._library.AssignProcessToJobObject(self._handle, int(process._handle)):  # type: ignore[attr-defined]
                process.kill()
                raise ctypes.WinError(ctypes.get_last_error())

        def end(self) -> None:
            """Ends all that are in the job."""
            self._library.TerminateJobObject(self._handle, 1)

        def close(self) -> None:
            """Ends them, and the job."""
            self._library.CloseHandle(self._handle)

    class Windows:
        """Windows: handles, jobs, and no signal for one process."""

        signals = False
        limits = False

        def start(
            self, command: Sequence[str], files: Sequence[int], *, memory: int | None, **options: Any
        ) -> WindowsChild:
            """See `System.start`."""
            # The executable of a virtual environment starts another process, which would not be ours to wait for.
            base = str(getattr(sys, "_base_executable", command[0]))
            handles = [self.number(fd) for fd in files]
            for handle in handles:
                os.set_handle_inheritable(handle, True)
            try:
                process = subprocess.Popen(
                    [base, *command[1:]],
                    env={
                        **ENVIRONMENT,
                        "SYSTEMROOT": os.environ.get("SYSTEMROOT", ""),
                        "__PYVENV_LAUNCHER__": command[0],
                    },
                    startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles}),
                    creationflags=subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW,
                    **options,
                )
            finally:
                for handle in handles:
                    os.set_handle_inheritable(handle, False)
            return WindowsChild(process, memory)

        def number(self, fd: int) -> int:
            """Its handle."""
            return msvcrt.get_osfhandle(fd)

    class WindowsChild:
        """A process in a job, which ends when this process does."""

        def __init__(self, process: subprocess.Popen[bytes], memory: int | None) -> None:
            self.pid = process.pid
            self._process = process
            self._lock = threading.Lock()  # a job that is closed must not be used any more
            self._job = Job(memory)
            self._job.take(process)

        def wait(self) -> int:
            """See `Child.wait`."""
            code = self._process.wait()
            with self._lock:
                self._job.close()
            return code

        def interrupt(self) -> None:
            """Nothing: a frame does it."""

        def kill(self) -> None:
            """See `Child.kill`."""
            with self._lock:
                if self._process.returncode is None:
                    self._job.end()

    __all__ = ["Windows", "WindowsChild"]
