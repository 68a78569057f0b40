"""A destination appears complete or not at all, and nothing is lost on the way."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qwen3_mlx.convert import folder
from qwen3_mlx.convert.folder import claimed, find_destination, staged
from qwen3_mlx.convert.ledger import LEDGER
from qwen3_mlx.convert.lock import locked
from qwen3_mlx.errors import ConversionError, UsageError


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A model folder that has the destination's name already."""
    destination = tmp_path / "model"
    destination.mkdir()
    (destination / "config.json").write_text("old")
    return destination


def listing(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_the_folder_gets_its_name_when_the_block_ends(tmp_path: Path) -> None:
    destination = tmp_path / "new" / "model"
    with claimed(destination, None, force=False), staged(destination, 0) as staging:
        assert staging.parent == destination.parent
        assert not destination.exists()
        (staging / "file").write_text("x")
    assert listing(destination) == ["file"]
    assert listing(destination.parent) == ["model"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_nothing_is_there(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(staging: Path) -> None:
        (staging / "file").write_text("x")
        raise error

    with pytest.raises(error), staged(tmp_path / "model", 0) as staging:
        fail(staging)
    assert listing(tmp_path) == []


def test_an_old_folder_survives_an_error(old: Path) -> None:
    with pytest.raises(ValueError, match="no"), staged(old, 0):
        raise ValueError("no")
    assert (old / "config.json").read_text() == "old"
    assert listing(old.parent) == ["model"]


def replace(destination: Path) -> None:
    with claimed(destination, None, force=True), staged(destination, 0) as staging:
        (staging / "config.json").write_text("new")


def test_an_old_folder_is_replaced(old: Path) -> None:
    replace(old)
    assert (old / "config.json").read_text() == "new"
    assert listing(old.parent) == ["model"]


def cannot_exchange(first: Path, second: Path) -> None:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def test_it_is_replaced_where_two_names_cannot_be_swapped_at_once(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_exchange_at_once", cannot_exchange)
    replace(old)
    assert (old / "config.json").read_text() == "new"
    assert listing(old.parent) == ["model"]


def test_it_comes_back_when_the_new_one_cannot_take_its_name(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(errno.EIO, "broken disk")
        return rename(self, target)

    monkeypatch.setattr(folder, "_exchange_at_once", cannot_exchange)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ConversionError, match="broken disk"):
        replace(old)
    assert (old / "config.json").read_text() == "old"
    assert listing(old.parent) == ["model"]


class Killed(BaseException):
    """What nobody catches."""


@pytest.mark.parametrize(("step", "left"), [(1, "old"), (2, "new")])
def test_a_kill_while_names_are_swapped_is_undone_by_the_next_run(
    old: Path, monkeypatch: pytest.MonkeyPatch, step: int, left: str
) -> None:
    """After the first of three renames there is no model; after the second the new one is there."""
    rename, steps = Path.rename, iter(range(3))

    def killed(self: Path, target: Path) -> Path:
        if next(steps) == step:
            raise Killed
        return rename(self, target)

    monkeypatch.setattr(folder, "_exchange_at_once", cannot_exchange)
    with monkeypatch.context() as until_killed:
        until_killed.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            replace(old)
    with claimed(old, None, force=True):
        assert (old / "config.json").read_text() == left
        assert ".model.partial.old" not in listing(old.parent)
    replace(old)
    assert (old / "config.json").read_text() == "new"
    assert listing(old.parent) == ["model"]


def test_a_lock_that_cannot_be_removed_is_given_up_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "broken disk")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", refuse)
        with pytest.raises(OSError, match="broken disk"), locked(tmp_path / "model"):
            pass
    with locked(tmp_path / "model"):
        assert listing(tmp_path) == [".model.lock"]
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "may write to"), (errno.EIO, None)],
)
def test_what_the_system_refuses_is_explained(tmp_path: Path, code: int, hint: str | None) -> None:
    destination = tmp_path / "model"
    with pytest.raises(ConversionError) as caught, claimed(destination, None, force=False):
        raise OSError(code, os.strerror(code))
    assert caught.value.message == f"{destination} could not be written: {os.strerror(code)}"
    assert (caught.value.hint or "").find(hint or "") >= 0
    assert listing(tmp_path) == []


def test_what_does_not_fit_on_the_disk_is_told_with_its_size(tmp_path: Path) -> None:
    destination = tmp_path / "model"
    with pytest.raises(ConversionError) as caught, staged(destination, 2_300_000_000):
        raise OSError(errno.ENOSPC, "No space left on device")
    said = f"{destination} could not be written: No space left on device; 2.3 GB are needed"
    assert caught.value.message == said
    assert listing(tmp_path) == []


def fail_below(destination: Path, *, after_a_shard: bool) -> None:
    with claimed(destination, None, force=False), staged(destination, 0) as staging:
        if after_a_shard:
            (staging / LEDGER).write_text("{}")
        raise KeyboardInterrupt


def test_parents_that_were_made_go_again_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail_below(tmp_path / "there" / "new" / "newer" / "model", after_a_shard=False)
    assert listing(tmp_path) == ["there"]
    assert listing(tmp_path / "there") == []


def test_parents_of_what_is_kept_stay(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail_below(tmp_path / "new" / "model", after_a_shard=True)
    assert listing(tmp_path / "new") == [".model.partial"]


def test_what_another_converter_finished_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended after this one had found the destination free, and before this one claimed it."""

    @contextmanager
    def late(destination: Path) -> Iterator[None]:
        destination.mkdir()
        with locked(destination):
            yield

    monkeypatch.setattr(folder, "locked", late)
    with (
        pytest.raises(UsageError, match="exists"),
        claimed(tmp_path / "model", None, force=False),
    ):
        pytest.fail("it was claimed")
    assert listing(tmp_path) == ["model"]


def test_a_parent_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConversionError, match="could not be written"):
        replace(tmp_path / "file" / "model")


def test_a_destination_inside_the_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="inside the source"):
        find_destination(tmp_path / "source" / "out", tmp_path / "source", force=False)


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name/x"])
def test_a_name_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        find_destination(name, tmp_path, force=False)


def test_a_source_inside_the_destination(old: Path) -> None:
    with pytest.raises(UsageError, match="holds the source"):
        find_destination(old, old / "source", force=True)


def test_an_existing_destination_is_replaced_only_by_force(old: Path) -> None:
    source = old.parent / "source"
    with pytest.raises(UsageError, match="exists") as caught:
        find_destination(old, source, force=False)
    assert "force=True" in (caught.value.hint or "")
    assert find_destination(old, source, force=True) == old


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_no_model_is_never_replaced(tmp_path: Path, is_file: bool) -> None:
    destination = tmp_path / "documents"
    destination.write_text("x") if is_file else destination.mkdir()
    with pytest.raises(UsageError, match="no model folder"):
        find_destination(destination, tmp_path / "source", force=True)
