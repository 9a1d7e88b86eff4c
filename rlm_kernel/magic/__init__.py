"""Floor 5: the door for people in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_kernel.magic.completion import complete
from rlm_kernel.magic.magics import RlmMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def register(shell: InteractiveShell) -> None:
    """Registers the magics, their configuration and their completions; a second time does nothing."""
    if find(shell) is not None:
        return
    magics = RlmMagics(shell)
    shell.register_magics(magics)  # which also makes it configurable
    shell.Completer.custom_matchers.append(complete)
    magics.control.open()


def unregister(shell: InteractiveShell) -> None:
    """Takes everything away again that `register` made."""
    magics = find(shell)
    if magics is None:
        return
    magics.control.close()
    shell.configurables.remove(magics)  # type: ignore[arg-type]  # typed for shells, used for all
    shell.Completer.custom_matchers.remove(complete)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("rlm", None)


def find(shell: InteractiveShell) -> RlmMagics | None:
    """The registered magics, or None."""
    return next((item for item in shell.configurables if isinstance(item, RlmMagics)), None)


__all__ = ["RlmMagics", "find", "register", "unregister"]
