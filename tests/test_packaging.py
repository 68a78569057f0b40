"""The package list, the folders and the built wheel say the same thing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
UNTRACKED = ("__pycache__", ".*_cache", "build", "*.egg-info")


def python_files(folder: Path) -> list[Path]:
    """Every module below `folder`, looking through the links `qwen3_mlx/{cli,convert}`."""
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            found += python_files(entry)
        elif entry.suffix == ".py":
            found.append(entry)
    return found


MODULES = [path.relative_to(ROOT) for path in python_files(ROOT / "qwen3_mlx")]


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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy so that nothing is left in the working tree."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns(*UNTRACKED)
    for name in ("qwen3_mlx", "cli", "convert"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    command = [sys.executable, "-c", BUILD, str(copy)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (built,) = copy.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_every_module_once_and_no_other(wheel: zipfile.ZipFile) -> None:
    modules = [name for name in wheel.namelist() if name.endswith(".py")]
    assert sorted(modules) == sorted(path.as_posix() for path in MODULES)


def test_the_wheel_holds_the_bundled_models_and_the_licence(wheel: zipfile.ZipFile) -> None:
    data = {name for name in wheel.namelist() if not name.endswith(".py")}
    bundled = ROOT / "qwen3_mlx" / "bundled"
    models = {p.relative_to(ROOT).as_posix() for p in bundled.glob("tiny*/*") if p.is_file()}
    info = f"qwen3_mlx-{PROJECT['project']['version']}.dist-info"
    names = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
    files = {"qwen3_mlx/py.typed", "qwen3_mlx/memory/chips.toml"}
    assert data == models | files | {f"{info}/{name}" for name in names}


def test_only_one_name_is_taken_in_site_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"qwen3_mlx", f"qwen3_mlx-{PROJECT['project']['version']}.dist-info"}
