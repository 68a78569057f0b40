"""Where a person's files are: worked out by hand from the XDG Base Directory Specification."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.places import Kind, own_folder

USUAL: list[tuple[Kind, str]] = [
    ("cache", ".cache"),
    ("config", ".config"),
    ("data", ".local/share"),
    ("state", ".local/state"),
]


@pytest.mark.parametrize(("kind", "usual"), USUAL)
def test_it_is_where_the_variable_says_else_in_the_home(
    kind: Kind, usual: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variable = f"XDG_{kind.upper()}_HOME"
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv(variable, raising=False)
    assert own_folder(kind) == Path("/home/ann", usual, "qwen3-mlx")
    monkeypatch.setenv(variable, "")  # as good as unset, says the specification
    assert own_folder(kind) == Path("/home/ann", usual, "qwen3-mlx")
    monkeypatch.setenv(variable, str(tmp_path))
    assert own_folder(kind) == tmp_path / "qwen3-mlx"


def test_without_a_home_it_says_which_variable_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "~nobody-of-that-name/settings")
    with pytest.raises(UsageError, match="there is no config folder") as raised:
        own_folder("config")
    assert raised.value.hint == "Set XDG_CONFIG_HOME to one."
