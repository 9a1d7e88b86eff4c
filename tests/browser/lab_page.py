"""JupyterLab as a person uses it, in words a test can read: open a notebook, run cells, look at their outputs."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page

SERVER_SECONDS = 60
WAIT_MS = 30_000
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
CONFIG = """\
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = {port}
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.root_dir = {notebooks!r}
c.IdentityProvider.token = {token!r}
c.LabApp.expose_app_in_browser = True  # the tests run JupyterLab's commands through `window.jupyterapp`
c.JupyterNotebookApp.expose_app_in_browser = True
c.LabApp.user_settings_dir = {settings!r}
c.LabApp.workspaces_dir = {workspaces!r}
"""
# The offer of news covers a corner of the page.
NO_NEWS = '{"fetchNews": "false", "checkForUpdates": false}'
EXTENSION = "/labextensions/rlm-kernel/"
FRONT = "window.jupyterapp.shell.currentWidget"


class JupyterServer:
    """JupyterLab of the environment that runs the tests, with folders of its own; up when made."""

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir()
        self._log = folder / "jupyter.log"
        self._token = secrets.token_hex(16)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = folder / "settings"
        news = self.settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        news.write_text(NO_NEWS)
        config = folder / "config.py"
        config.write_text(
            CONFIG.format(
                port=port,
                notebooks=str(self.notebooks),
                token=self._token,
                settings=str(self.settings),
                workspaces=str(folder / "workspaces"),
            )
        )
        own = {name: str(folder / name.lower()) for name in FOLDERS}
        other = os.environ.get("RLM_KERNEL_PYTHON")
        if other:
            # Before all other places: an environment's own kernels come before those of its user.
            own["JUPYTER_PATH"] = str(folder / "kernels-of-another")
            _use_kernel(Path(own["JUPYTER_PATH"]), other)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "JUPYTER"))
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--config", str(config)],
                cwd=folder,
                env=inherited | own,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    def address(self, place: str) -> str:
        """The address of a place of this server, for those who may see it."""
        return f"{self.url}{place}{'&' if '?' in place else '?'}token={self._token}"

    def close(self) -> None:
        """Ends the server and, with its process group, whatever it left."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _wait(self) -> None:
        end = time.monotonic() + SERVER_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/api", timeout=5).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
            else:
                return
        self.close()
        raise RuntimeError(f"JupyterLab did not start. Its log:\n{self._log.read_text()[-4000:]}")


class Lab:
    """One JupyterLab in one browser page. `hosts` are the servers that the page asked for anything."""

    def __init__(self, page: Page, server: JupyterServer, shots: Path, place: str = "/lab?reset") -> None:
        self.page = page
        self.place = place
        self.server = server
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self._shots = shots
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: self.hosts.add(_host(request.url)))
        page.on("pageerror", lambda error: self._complain(error.stack or str(error)))
        self.load()

    def _complain(self, said: str) -> None:
        # JupyterLab lets go of its own requests so when a kernel ends before they are answered.
        if "Canceled future for create_subshell_request" not in said or EXTENSION in said:
            self.complaints.append(said)

    def load(self) -> None:
        """The page anew, in JupyterLab without any document."""
        self.page.goto(self.server.address(self.place))
        self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget")

    def write(self, path: str, *sources: str, kernel: str = "rlm") -> str:
        """A new notebook with these code cells; its path."""
        spec = {"name": kernel, "display_name": "Python 3", "language": "python"}
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        self.store(path, nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}))
        return path

    def store(self, path: str, notebook: nbformat.NotebookNode) -> None:
        """Puts the notebook where the server finds it."""
        nbformat.write(notebook, self.server.notebooks / path)

    def open(self, path: str, *, kernel: bool = True) -> Notebook:
        """The notebook, drawn and in front; `kernel` waits for its kernel, else none is wanted."""
        self.page.evaluate(
            "path => { void window.jupyterapp.commands.execute('docmanager:open', {path}) }", path
        )
        self.page.wait_for_function(
            f"path => {FRONT}?.context?.path === path && {FRONT}.context.isReady", arg=path
        )
        self.page.wait_for_selector(f"{PANEL} .jp-Cell")
        if kernel:
            self.page.wait_for_function(f"() => {FRONT}.sessionContext.session?.kernel?.status === 'idle'")
        else:
            self.page.click(".jp-Dialog button:has-text('No Kernel')")
            self.page.wait_for_selector(".jp-Dialog", state="detached")
        return Notebook(self)

    def reload(self, path: str) -> Notebook:
        """The page anew, with that notebook, whose kernel goes on."""
        self.page.goto(self.server.address(f"/lab/tree/{path}?reset"))
        return self.opened(path)

    def opened(self, path: str) -> Notebook:
        """The notebook that the page opens by itself, in front."""
        self.page.wait_for_function(
            f"path => window.jupyterapp && {FRONT}?.context?.path === path && {FRONT}.context.isReady",
            arg=path,
        )
        self.page.wait_for_selector(f"{PANEL} .jp-Cell")
        return Notebook(self)

    @contextmanager
    def classic(self, path: str) -> Iterator[Lab]:
        """A page of Notebook 7 with that notebook."""
        other = Lab(self.page.context.new_page(), self.server, self._shots, f"/notebooks/{path}")
        yield other
        # Notebook 7.6 complains of its own settings in any page.
        other.complaints = [complaint for complaint in other.complaints if EXTENSION in complaint]
        self._leave(other)

    @contextmanager
    def without_kernels(self) -> Iterator[Lab]:
        """The same JupyterLab opened anew, as if its server had no kernel at all."""
        page = self.page.context.new_page()
        nothing = {"default": "", "kernelspecs": {}}
        page.route("**/api/kernelspecs*", lambda route: route.fulfill(json=nothing))
        other = Lab(page, self.server, self._shots)
        yield other
        self._leave(other)

    def _leave(self, other: Lab) -> None:
        self.hosts |= other.hosts
        self.complaints += other.complaints
        other.page.close()

    def command(self, name: str, **words: str) -> None:
        """Starts one of JupyterLab's commands."""
        self.page.evaluate(
            "([name, words]) => { void window.jupyterapp.commands.execute(name, words) }", [name, words]
        )

    def palette(self, label: str) -> None:
        """Picks the command of that name from the palette, by keyboard."""
        self.page.keyboard.press("Control+Shift+C")
        self.page.keyboard.type(label)
        self.page.wait_for_selector(f".lm-CommandPalette-item.lm-mod-active:has-text('{label}')")
        self.page.keyboard.press("Enter")

    def download(self, name: str, start: Callable[[], None]) -> str:
        """The content of the file that comes when something is started; its name ends so."""
        with self.page.expect_download() as coming:
            start()
        assert coming.value.suggested_filename.endswith(name)
        return Path(coming.value.path()).read_text("utf-8")

    def theme(self, name: str) -> None:
        """Changes the theme, and waits until it is there."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")

    def shut_down(self) -> None:
        """Ends all kernels."""
        self.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")

    def shot(self, name: str) -> None:
        """A picture for people."""
        self.page.screenshot(path=self._shots / f"{name}.png")


class Notebook:
    """The notebook in front. Cells are counted from 0."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._page = lab.page

    def start(self, at: int) -> None:
        """Runs a cell and does not wait for it."""
        self._page.evaluate(f"at => {{ {FRONT}.content.activeCellIndex = at }}", at)
        self._lab.command("notebook:run-cell")

    def run(self, *cells: int) -> None:
        """Runs cells that have not run yet, each to its end."""
        for at in cells:
            self.start(at)
            self.wait(at)

    def wait(self, at: int) -> None:
        """Until the cell has run."""
        self._page.wait_for_function(
            f"at => /\\d/.test({FRONT}.content.widgets[at].promptNode?.textContent)", arg=at
        )

    def run_all(self) -> None:
        """Runs every cell to its end."""
        self._lab.command("notebook:run-all-cells")
        for at, cell in enumerate(self.cells):
            if cell["cell_type"] == "code":
                self.wait(at)

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells with their outputs, as they would be saved."""
        found: list[dict[str, Any]] = self._page.evaluate(
            f"() => {FRONT}.content.widgets.map(cell => cell.model.toJSON())"
        )
        return found

    def has_kernel(self) -> bool:
        return bool(self._page.evaluate(f"() => Boolean({FRONT}.sessionContext.session?.kernel)"))

    def is_trusted(self, at: int) -> bool:
        return bool(self._page.evaluate(f"at => {FRONT}.content.widgets[at].model.trusted", at))

    def cell(self, at: int) -> Locator:
        return self._page.locator(f"{PANEL} .jp-Cell").nth(at)

    def editor(self, at: int) -> Locator:
        return self.cell(at).locator(".cm-content")

    def output(self, at: int) -> Locator:
        """All that is shown below the cell."""
        return self.cell(at).locator(".jp-OutputArea-output")

    def tree(self, at: int) -> Locator:
        """The run shown below the cell."""
        return self.output(at).first

    def run_view(self, at: int) -> Locator:
        """The run below the cell as the extension draws it."""
        return self.output(at).locator(".rlm-run")

    def cell_toolbar(self, at: int, command: str) -> Locator:
        """The button for that command in the toolbar of the cell."""
        return self.cell(at).locator(f".jp-cell-toolbar [data-command='{command}']")

    def text(self, at: int) -> str:
        """What a person reads below the cell."""
        return "\n".join(self.output(at).all_inner_texts())

    def show(self, at: int) -> None:
        """Scrolls the cell, which has an output, to the top; JupyterLab draws no others."""
        self.cell(at).evaluate("cell => cell.scrollIntoView({block: 'start'})")
        self.tree(at).wait_for()

    def watch(self, at: int) -> None:
        """Keeps, from now on, each text that is shown below the cell, for `states`."""
        self.cell(at).evaluate(
            """cell => {
              window.shownStates = [];
              const look = () => {
                const parts = [...cell.querySelectorAll('.jp-OutputArea-output')].map(part => part.innerText);
                const text = parts.join('\\n');
                if (text && text !== window.shownStates.at(-1)) window.shownStates.push(text);
              };
              new MutationObserver(look).observe(cell, {subtree: true, childList: true, characterData: true});
            }"""
        )

    def states(self) -> list[str]:
        """The texts since `watch`, in order."""
        found: list[str] = self._page.evaluate("() => window.shownStates")
        return found

    def wait_for_languages(self, *mime_types: str) -> None:
        """Until the cells are edited as these."""
        self._page.wait_for_function(
            f"want => {FRONT}.content.widgets.map(cell => cell.model.mimeType).join() === want",
            arg=",".join(mime_types),
        )

    def complete(self, at: int) -> list[str]:
        """What Tab offers at the end of the cell."""
        self.editor(at).click()
        for key in ("Control+End", "Tab"):
            self._page.keyboard.press(key)
        self._page.wait_for_selector(".jp-Completer .jp-Completer-item")
        found = self._page.locator(".jp-Completer .jp-Completer-match").all_inner_texts()
        self._page.keyboard.press("Escape")
        self._page.wait_for_selector(".jp-Completer:not(.lm-mod-hidden)", state="detached")
        return found

    def save(self) -> nbformat.NotebookNode:
        """The notebook as it now is on disk."""
        path = self._page.evaluate(
            f"async () => {{ await {FRONT}.context.save(); return {FRONT}.context.path }}"
        )
        return nbformat.read(self._lab.server.notebooks / path, as_version=4)


def _use_kernel(data: Path, python: str) -> None:
    """Runs the kernels `rlm` and `python3` with that Python, which finds the package where this one has it."""
    root = str(Path(__file__).parents[2])
    for name, more in (("rlm", ["--ext", "rlm_kernel"]), ("python3", [])):
        spec = {
            "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", *more],
            "display_name": name,
            "language": "python",
            "env": {"PYTHONPATH": root},
        }
        folder = data / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _host(url: str) -> str:
    scheme, _, rest = url.partition(":")
    return "" if scheme in ("data", "blob", "about") else f"{scheme}://{rest.lstrip('/').partition('/')[0]}"
