"""The part of this package that workers need, as a zip: a machine that has none of it gets the very same version."""

from __future__ import annotations

import base64
import functools
import io
import zipfile
from pathlib import Path

NEEDED = ("__init__.py", "errors.py", "text.py", "version.py", "repl", "trace")


@functools.cache
def package() -> str:
    """The zip in base64."""
    root = Path(__file__).resolve().parents[1]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(path for name in NEEDED for path in _modules(root / name)):
            bundle.write(path, Path(root.name, path.relative_to(root)))
    return base64.b64encode(file.getvalue()).decode("ascii")


def _modules(path: Path) -> list[Path]:
    return list(path.rglob("*.py")) if path.is_dir() else [path]


__all__ = ["NEEDED", "package"]
