from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from guarded import printed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlm_kernel.errors import ConfigError
from rlm_kernel.repl.guard import cgroup, editable, guard, reach


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user with a project, in which the notebook is."""
    (tmp_path / "home" / "project" / "notebooks").mkdir(parents=True)
    return tmp_path / "home"


def readable(*path: object, home: Path, extra: tuple[str, ...] = ()) -> list[str]:
    """What is readable beside the system's and this package's own."""
    cwd = home / "project" / "notebooks"
    options = {"cwd": str(cwd), "home": str(home), "prefixes": (), "cgroup": ""}
    found = reach.readable([str(each) for each in path], extra=extra, **options)  # type: ignore[arg-type]
    alone = reach.readable([], **options)  # type: ignore[arg-type]
    return [each for each in found if each not in alone]


def installed(folder: Path, name: str = "lemma") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("")
    (folder / f"{name}-1.0.dist-info").mkdir()
    return folder


def covers(found: list[str], path: Path) -> bool:
    return any(str(path) == each or str(path).startswith(f"{each}/") for each in found if each[-1] != "/")


def test_installed_packages_are_readable_wherever_they_are(home: Path) -> None:
    target = installed(home / "project" / "packages")
    user = home / ".local" / "lib" / "python3" / "site-packages"
    user.mkdir(parents=True)
    assert readable(target, user, home=home) == [str(user), str(target)]


def test_where_the_users_own_files_are_is_not_readable_for_being_searched(home: Path) -> None:
    cwd = home / "project" / "notebooks"
    hidden = home / ".ipython"
    for folder in (cwd, home, hidden):
        installed(folder)
    assert readable(cwd, home / "project", home, home.parent, "/", hidden, home=home) == []


def test_a_link_to_the_users_own_files_is_not_readable_either(home: Path) -> None:
    link = home.parent / "link"
    link.symlink_to(home)
    packages = installed(home.parent / "packages")
    (packages / "all").symlink_to(home)
    assert readable(link, packages, home=home) == [str(packages)]


def test_of_a_project_its_modules_are_readable_and_its_folder_can_be_listed(home: Path) -> None:
    project = home / "other"
    for name in (
        "lemma/__init__.py",
        "space/inner/__init__.py",
        "tool.py",
        ".env",
        "data/secret.csv",
        "notes.txt",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    (project / ".git").mkdir()
    found = readable(project, home=home)
    assert found == [*(str(project / name) for name in ("lemma", "space", "tool.py")), f"{project}/"]


def test_packages_that_are_links_are_readable_where_they_lead(home: Path) -> None:
    store = home / "store" / "lemma"
    store.mkdir(parents=True)
    packages = installed(home.parent / "packages", "other")
    (packages / "lemma").symlink_to(store)
    assert readable(packages, home=home) == [str(store), str(packages)]


def test_an_archive_is_readable_and_what_is_searched_inside_it_too(home: Path) -> None:
    archive = home / "packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("lib/lemma.py", "")
    assert readable(archive / "lib", archive, home=home) == [str(archive)]


def test_a_finder_of_setuptools_leads_to_its_packages(home: Path) -> None:
    packages = home.parent / "site-packages"
    packages.mkdir()
    lemma, module = home / "src" / "lemma", home / "src" / "single"
    lemma.mkdir(parents=True)
    module.with_suffix(".py").write_text("")
    (packages / "__editable___lemma_1_0_finder.py").write_text(
        f"MAPPING: dict[str, str] = {{'lemma': {str(lemma)!r}, 'single': {str(module)!r}, 'gone': '/not/there'}}\n"
        f"NAMESPACES: dict[str, list[str]] = {{'space': [{str(home)!r}]}}\nPATH = '/etc'\n"
    )
    assert readable(packages, home=home) == [str(lemma), str(module) + ".py", str(packages)]


@pytest.mark.parametrize(
    "text", ["MAPPING = {", "MAPPING = call()", "MAPPING = {'a': 1}", "MAPPING = ['/etc']", ""]
)
def test_a_strange_finder_leads_nowhere(tmp_path: Path, text: str) -> None:
    (tmp_path / "__editable___x_finder.py").write_text(text)
    assert editable.mapped(str(tmp_path)) == []


def test_what_is_granted_is_readable_whatever_it_is(home: Path) -> None:
    cwd = home / "project" / "notebooks"
    (cwd / "papers.csv").write_text("")
    (home / "data").mkdir()
    assert readable(home=home, extra=("papers.csv", "~/data")) == [
        str(home / "data"),
        str(cwd / "papers.csv"),
    ]
    assert readable(home=home, extra=("~",)) == [str(home)]
    assert readable(cwd, home=home, extra=(".",)) == [str(cwd)]


def test_a_grant_of_something_that_is_not_there_says_so(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"data was to be readable .* and it is not there") as caught:
        readable(home=home, extra=("data",))
    assert caught.value.setting == "readable"


def test_this_package_is_always_readable(home: Path) -> None:
    found = reach.readable([], cwd=reach.PACKAGE, home=str(home), prefixes=())
    assert covers(found, Path(reach.PACKAGE))


def test_of_a_prefix_programs_are_readable_and_configuration_is_not(home: Path) -> None:
    prefix = home.parent / "prefix"
    for name in ("lib", "etc/jupyter", "share/jupyter", "share/zoneinfo", "bin"):
        (prefix / name).mkdir(parents=True)
    found = reach.readable([], cwd=str(home), home=str(home), prefixes=[str(prefix)])
    assert covers(found, prefix / "lib") and covers(found, prefix / "share" / "zoneinfo")
    for name in ("etc/jupyter", "share/jupyter", "bin"):
        assert not covers(found, prefix / name)


NAMES = ("a", "b", ".c", "site-packages", "x-1.dist-info")
PATHS = st.lists(st.sampled_from(NAMES), max_size=4).map(lambda parts: "/".join(parts))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(folders=st.lists(PATHS, max_size=6), cwd=PATHS, home=PATHS, search=st.lists(PATHS, max_size=5))
def test_the_users_folders_are_never_readable(
    tmp_path_factory: pytest.TempPathFactory, folders: list[str], cwd: str, home: str, search: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for each in (*folders, cwd, home):
        (root / each).mkdir(parents=True, exist_ok=True)
    places = {"cwd": str(root / cwd), "home": str(root / home)}
    entries = [str(root / each) for each in search]
    found = reach.readable(entries, prefixes=(), cgroup="", **places)  # type: ignore[arg-type]
    for place in places.values():
        path = Path(place)
        assert not {str(each) for each in (path, *path.parents)} & {
            each.rstrip("/") for each in found if each != "/"
        }
    assert "/" not in found
    whole = [each for each in found if not each.endswith("/")]
    assert not [(one, other) for one in whole for other in whole if one.startswith(f"{other}/")]
    again = reach.readable([*entries, *reversed(entries)], prefixes=(), cgroup="", **places)  # type: ignore[arg-type]
    assert again == found


def test_limits_are_read_of_ones_own_groups() -> None:
    assert cgroup.limit_files("0::/user.slice/jupyter.scope\n") == [
        f"/sys/fs/cgroup{group}/{file}"
        for group in ("", "/user.slice", "/user.slice/jupyter.scope")
        for file in ("cpu.max", "memory.max", "memory.high")
    ]
    assert cgroup.limit_files("5:memory:/x\n3:cpuset:/\n1:cpu,cpuacct:/\n") == [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
    ]


@given(st.text())
def test_no_text_leads_out_of_the_control_groups(text: str) -> None:
    for path in cgroup.limit_files(text):
        assert os.path.normpath(path).startswith("/sys/fs/cgroup/")


@pytest.mark.skipif(guard.offered() != "", reason=guard.offered() or "offered")
def test_a_project_is_imported_from_and_its_secrets_are_not_read(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "lemma").mkdir(parents=True)
    (project / "lemma" / "__init__.py").write_text("QED = 'shown'\n")
    (project / ".env").write_text("KEY=1\n")
    code = """
import lemma
print(lemma.QED)
try:
    print(open(order["secret"]).read())
except PermissionError:
    print("refused")
"""
    out = printed(code, tmp_path / "work", path=[str(project)], secret=str(project / ".env"))
    assert out == "shown\nrefused\n"
