from __future__ import annotations

from pathlib import Path

from rlm_kernel.repl.guard.caches import copy_font_lists, font_lists


def cache(home: Path, *names: str) -> Path:
    folder = home / ".cache" / "matplotlib"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


def test_the_lists_of_fonts_come_along_and_nothing_else(tmp_path: Path) -> None:
    cache(tmp_path / "home", "fontlist-v390.json", "fontlist-v3.11.0.json", "tex.cache", "matplotlibrc")
    target = tmp_path / "work"
    target.mkdir()
    assert copy_font_lists(font_lists({}, str(tmp_path / "home")), str(target)) == 2
    assert sorted(path.name for path in target.iterdir()) == ["fontlist-v3.11.0.json", "fontlist-v390.json"]
    assert (target / "fontlist-v390.json").read_text() == "fontlist-v390.json"


def test_whoever_has_never_drawn_has_none(tmp_path: Path) -> None:
    assert copy_font_lists(font_lists({}, str(tmp_path / "home")), str(tmp_path)) == 0


def test_a_list_that_cannot_be_copied_is_left(tmp_path: Path) -> None:
    (cache(tmp_path) / "fontlist-v1.json").mkdir()
    assert copy_font_lists(font_lists({}, str(tmp_path)), str(tmp_path)) == 0


def test_the_folder_is_where_matplotlib_puts_it(tmp_path: Path) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared" / "matplotlib"
    for folder in (own, shared):
        folder.mkdir(parents=True)
        (folder / "fontlist-v1.json").write_text("")
    home = str(tmp_path / "home")
    assert font_lists({"MPLCONFIGDIR": str(own)}, home) == [str(own / "fontlist-v1.json")]
    assert font_lists({"XDG_CACHE_HOME": str(shared.parent)}, home) == [str(shared / "fontlist-v1.json")]
    assert font_lists({}, home) == []


def test_a_link_in_the_workers_folder_is_not_followed(tmp_path: Path) -> None:
    cache(tmp_path / "home", "fontlist-v1.json")
    target, precious = tmp_path / "work", tmp_path / "precious"
    target.mkdir()
    precious.write_text("mine")
    (target / "fontlist-v1.json").symlink_to(precious)
    assert copy_font_lists(font_lists({}, str(tmp_path / "home")), str(target)) == 0
    assert precious.read_text() == "mine"
