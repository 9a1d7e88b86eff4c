"""Reach."""


def readable(search_path, *, cwd, home, extra):
    return list(extra)


__all__ = ["readable"]
