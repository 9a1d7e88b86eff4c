"""Where the kernel says how much of the machine a process may use: libraries size their pools by it."""

from __future__ import annotations

_ROOT = "/sys/fs/cgroup"
# By controller; "" is the unified hierarchy.
_FILES: dict[str, tuple[str, ...]] = {
    "": ("cpu.max", "memory.max", "memory.high"),
    "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us"),
    "memory": ("memory.limit_in_bytes",),
}


def own() -> str:
    """What /proc says of this process's control groups; nothing on a system without them."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def limit_files(text: str) -> list[str]:
    """The files that hold the limits of the control groups in `text`, which is a process's /proc/self/cgroup, and of
    all groups around them."""
    found: list[str] = []
    for line in text.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        for mount in controllers.split(","):
            files = _FILES.get(mount, ())
            found += [f"{_ROOT}/{mount}{folder}/{file}" for folder in _upwards(path) for file in files]
    return [path.replace("//", "/") for path in found]


def _upwards(path: str) -> list[str]:
    """That group and all groups around it, the outermost, "", first."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return ["".join(f"/{part}" for part in parts[:length]) for length in range(len(parts) + 1)]


__all__ = ["limit_files", "own"]
