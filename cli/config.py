"""What a person has set once: a small TOML file in the configuration folder.

Knows its place (`$XDG_CONFIG_HOME/qwen3-mlx/config.toml`) and that its keys are the settings by
their names. What a person wrote into it stays: only the line of the model is ever changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from qwen3_mlx.cli.options import KINDS
from qwen3_mlx.cli.state import replace_file
from qwen3_mlx.cli.stated import Stated
from qwen3_mlx.errors import UsageError, shown, write_error
from qwen3_mlx.places import own_folder

MAX_BYTES = 10**6
ADVICE = "Correct the file or remove it."

_MODEL = re.compile(
    r"""^(?P<key>[ \t]*model[ \t]*=[ \t]*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*')""", re.MULTILINE
)


def config_path() -> Path:
    """Where the file is, or would be.

    Raises:
        UsageError: there is no home to find it in.
    """
    return own_folder("config") / "config.toml"


def read_config() -> list[Stated]:
    """The settings as they are on disk; no file, no settings.

    Raises:
        UsageError: the file is not what this version understands.
    """
    path = config_path()
    return list(_stated(_parsed(_read(path), path), path))


def set_model(name: str) -> Path:
    """Makes `name` the model of the file, and leaves all else in it as it is.

    Raises:
        UsageError: the file is not what this version understands.
        Qwen3Error: it cannot be written.
    """
    path = config_path()
    before = _read(path)
    after = _with_model(before, name)
    if _parsed(after, path) != {**_parsed(before, path), "model": name}:
        raise UsageError(
            f"{path}: the line of the model cannot be changed without touching others",
            hint=f"Write it yourself: {_line(name)}",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # never behind a link to nowhere
    except OSError as error:
        raise write_error(path, error, len(after)) from error
    replace_file(path.resolve(), after)
    return path


def _read(path: Path) -> str:
    """The text of the file with its line ends as they are; without a file, none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) <= MAX_BYTES:
            return data.decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise _refused(path, str(error)) from error
    raise _refused(path, "it is larger than 1 MB: these are no settings")


def _parsed(text: str, path: Path) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, str(error)) from error


def _stated(data: Mapping[str, object], path: Path) -> Iterator[Stated]:
    for key, value in data.items():
        if key not in KINDS:
            raise UsageError(
                f"{path}: unknown key {key!r}", hint=f"The keys are {', '.join(KINDS)}."
            )
        texts = tuple(_text(key, one, path) for one in _values(key, value))
        yield Stated(key, texts, str(path), f"{path}: {key}", ADVICE)


def _values(key: str, value: object) -> list[object]:
    """What the file gives a setting: more than one value if its flag may be repeated."""
    return value if list[str] in get_args(KINDS[key]) and isinstance(value, list) else [value]


def _text(key: str, value: object, path: Path) -> str:
    """What the flag would be given for a value of the file."""
    if isinstance(value, str):
        return value
    if {str, list[str]} & {*get_args(KINDS[key])}:
        raise _refused(path, f"{key} is not a string")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError as error:  # thousands of digits, which TOML can write as hexadecimal
            raise _refused(path, f"{key} is {shown(value)}") from error
    raise _refused(path, f"{key} is not a single value")


def _refused(path: Path, why: str) -> UsageError:
    return UsageError(f"{path}: {why}", hint=ADVICE)


def _with_model(text: str, name: str) -> str:
    changed, times = _MODEL.subn(lambda match: f"{match['key']}{_string(name)}", text, count=1)
    if times:
        return changed
    end = "\n" if text and not text.endswith("\n") else ""
    return f"{text}{end}{_line(name)}\n"


def _line(name: str) -> str:
    return f"model = {_string(name)}"


def _string(name: str) -> str:
    """A TOML string. A JSON string is one, but for DEL, which no model's name holds."""
    return json.dumps(name, ensure_ascii=False)
