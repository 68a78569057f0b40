"""The package list, the folders, the source distribution and the wheel say the same thing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"
UNTRACKED = ("__pycache__", ".*_cache", "build", "*.egg-info")


DATA = {".json", ".jsonl", ".toml", ".md", ".jinja", ".safetensors", ".typed"}
"""What a package may hold besides modules. Nothing else is shipped, wherever it comes from."""


def files_below(folder: Path) -> list[Path]:
    """Every file below `folder`, looking through the links `qwen3_mlx/{cli,convert}`."""
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name != "__pycache__":
            found += files_below(entry)
        elif entry.is_file():
            found.append(entry)
    return found


FILES = [path.relative_to(ROOT) for path in files_below(ROOT / "qwen3_mlx")]
MODULES = [path for path in FILES if path.suffix == ".py"]


def test_every_folder_with_modules_is_in_the_package_list() -> None:
    folders = {".".join(path.parent.parts) for path in MODULES}
    assert folders == set(SETUPTOOLS["packages"])


def test_every_package_has_an_init() -> None:
    folders = {path.parent for path in MODULES}
    assert [folder for folder in folders if folder / "__init__.py" not in MODULES] == []


@pytest.mark.parametrize(("package", "folder"), SETUPTOOLS["package-dir"].items())
def test_a_mapped_package_is_a_link_to_its_folder(package: str, folder: str) -> None:
    link = ROOT.joinpath(*package.split("."))
    assert link.is_symlink()
    assert link.resolve() == (ROOT / folder).resolve()


def test_nothing_stray_lies_in_the_packages() -> None:
    assert [path for path in FILES if path.suffix not in {".py", *DATA}] == []


def build(what: str, source: Path) -> Path:
    """A distribution of the sources in a folder."""
    command = [sys.executable, "-c", BUILD.format(what), str(source)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = source.glob("*.whl" if what == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tarfile.TarFile]:
    """The source distribution, built from a copy so that nothing is left in the working tree."""
    copy = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns(*UNTRACKED)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    for name in ("qwen3_mlx", "cli", "convert", "docs", "tests"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    with tarfile.open(build("sdist", copy)) as built:
        yield built


@pytest.fixture(scope="module")
def wheel(sdist: tarfile.TarFile, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the source distribution, as others do it."""
    place = tmp_path_factory.mktemp("unpacked")
    sdist.extractall(place, filter="data")
    (source,) = place.iterdir()
    return zipfile.ZipFile(build("wheel", source))


def test_the_source_distribution_holds_what_is_installed_and_no_more(
    sdist: tarfile.TarFile,
) -> None:
    held = {Path(*Path(m.name).parts[1:]).as_posix() for m in sdist.getmembers() if m.isfile()}
    links = ("qwen3_mlx/cli/", "qwen3_mlx/convert/")
    names = [path.as_posix() for path in FILES]
    files = {n.removeprefix("qwen3_mlx/") if n.startswith(links) else n for n in names}
    about = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "SECURITY.md"}
    about |= {"docs/licences.md", "pyproject.toml", "PKG-INFO", "setup.cfg"}
    assert {name for name in held if "egg-info/" not in name} == files | about


def test_the_wheel_holds_every_module_once_and_no_other(wheel: zipfile.ZipFile) -> None:
    modules = [name for name in wheel.namelist() if name.endswith(".py")]
    assert sorted(modules) == sorted(path.as_posix() for path in MODULES)


def test_the_wheel_holds_all_data_and_the_licence(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if not name.endswith(".py")}
    data = {path.as_posix() for path in FILES if path not in MODULES}
    assert {f"qwen3_mlx/bundled/{name}/model.safetensors" for name in ("tiny", "tiny-dense")} < data
    info = f"qwen3_mlx-{PROJECT['project']['version']}.dist-info"
    names = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
    assert held == data | {f"{info}/{name}" for name in names}


def test_only_one_name_is_taken_in_site_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"qwen3_mlx", f"qwen3_mlx-{PROJECT['project']['version']}.dist-info"}
