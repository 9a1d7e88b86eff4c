"""`python -m rlm_kernel install`: the kernel "Python 3 (RLM)" for this Python, wherever Jupyter runs."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager


def main(arguments: list[str] | None = None) -> int:
    """The exit status. `install` prints where the kernel is."""
    options = _parser().parse_args(arguments)
    prefix = None if options.user else (options.prefix or sys.prefix)
    try:
        place = install(options.name, options.display_name, user=options.user, prefix=prefix)
    except OSError as error:
        print(f"cannot write the kernel: {error}. Use --user for your own account.", file=sys.stderr)
        return 1
    print(f"installed the kernel {options.name!r} in {place}")
    return 0


def install(name: str, display_name: str, *, user: bool = False, prefix: str | None = None) -> str:
    """The folder of the installed kernel: this interpreter with `%%rlm` loaded. Raises `OSError`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.json").write_text(json.dumps(_spec(display_name), indent=1))
        place: str = KernelSpecManager().install_kernel_spec(folder, name, user=user, prefix=prefix)
    return place


def _spec(display_name: str) -> dict[str, object]:
    return {
        "argv": [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--ext",
            "rlm_kernel",
        ],
        "display_name": display_name,
        "language": "python",
        "metadata": {"debugger": True},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rlm_kernel", description="Jupyter-native Recursive Language Models."
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("install", help="install a kernel with the rlm magics loaded")
    command.add_argument("--name", default="rlm", help="the kernel's name (default: rlm)")
    command.add_argument("--display-name", default="Python 3 (RLM)", help="what Jupyter shows")
    place = command.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for your account, not this environment")
    place.add_argument("--prefix", help="another environment's prefix")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
