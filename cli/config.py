"""What a person has set once: a small TOML file in the configuration folder.

Knows its place (`$XDG_CONFIG_HOME/qwen3-mlx/config.toml`) and its keys. The only key so far is
`model`, the name used when a command is given none.
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from qwen3_mlx.errors import Qwen3Error, UsageError

_KEYS = {"model"}


@dataclass(frozen=True, slots=True)
class Config:
    """The settings; None where nothing is set."""

    model: str | None = None


def config_path() -> Path:
    """Where the file is, or would be."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "qwen3-mlx" / "config.toml"


def read_config() -> Config:
    """The settings as they are on disk; no file, no settings.

    Raises:
        UsageError: the file is not what this version understands.
    """
    path = config_path()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError) as error:
        raise _refused(path, str(error)) from error
    return _checked(data, path)


def _checked(data: dict[str, object], path: Path) -> Config:
    unknown = sorted(set(data) - _KEYS)
    if unknown:
        raise _refused(path, f"unknown key {unknown[0]!r}")
    model = data.get("model")
    if model is not None and not isinstance(model, str):
        raise _refused(path, "model is not a string")
    return Config(model=model)


def _refused(path: Path, why: str) -> UsageError:
    return UsageError(f"{path}: {why}", hint="Correct the file or remove it.")


def write_config(config: Config) -> Path:
    """Keeps the settings; the file is replaced in one step.

    Raises:
        Qwen3Error: the file cannot be written.
    """
    path = config_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, _to_toml(config))
    except OSError as error:
        raise Qwen3Error(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


def _to_toml(config: Config) -> str:
    if config.model is None:
        return ""
    # A JSON string is a TOML basic string, but for DEL, which no model's name holds.
    return f"model = {json.dumps(config.model, ensure_ascii=False)}\n"
