"""What a docstring says of a function and its parameters.

Knows the styles of Google (`Args:`), NumPy (`Parameters` and a line under it) and Sphinx
(`:param name:`). Does not know signatures or types.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile

_GOOGLE = re.compile(r"(?:Args|Arguments|Parameters):")
_NUMPY = re.compile(r"Parameters\n-{3,}")
_SPHINX = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_TYPED_NAMES = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")
_SECTION = re.compile(r"[A-Z][\w ]*:|:\w+.*:.*|[A-Z][\w ]*\n-{3,}")


def summary(docstring: str) -> str:
    """The first paragraph, on one line; nothing where the docstring begins with a section."""
    lines = inspect.cleandoc(docstring).splitlines()
    first = takewhile(lambda line: line.strip() and not _is_section(line, ""), lines)
    return " ".join(line.strip() for line in first)


def parameters(docstring: str) -> dict[str, str]:
    """What is said of each parameter, on one line."""
    lines = inspect.cleandoc(docstring).splitlines()
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        if _GOOGLE.fullmatch(line.strip()):
            found |= _google(_indented(lines[at + 1 :]))
        elif _NUMPY.fullmatch("\n".join(lines[at : at + 2])):
            found |= _numpy(lines[at + 2 :])
        elif entry := _SPHINX.fullmatch(line.strip()):
            more = _indented(lines[at + 1 :])
            found[entry[1]] = _joined([entry[2], *more])
    return found


def _google(lines: list[str]) -> dict[str, str]:
    """Entries `name (type): text`; what is indented deeper goes on with the one before."""
    found: dict[str, str] = {}
    for entry, more in _entries(lines):
        if match := _ENTRY.fullmatch(entry):
            found[match[1]] = _joined([match[2], *more])
    return found


def _numpy(lines: list[str]) -> dict[str, str]:
    """Entries `name : type`, the text indented below; several names may share one."""
    pairs = zip(lines, [*lines[1:], ""], strict=True)
    section = takewhile(lambda pair: not _is_section(*pair), pairs)
    found: dict[str, str] = {}
    for entry, more in _entries([line for line, _ in section]):
        if match := _TYPED_NAMES.fullmatch(entry):
            names = (name.strip(" *") for name in match[1].split(","))
            found |= dict.fromkeys(names, _joined(more))
    return found


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Each line of the smallest indentation, with those indented deeper that follow it."""
    said = [line for line in lines if line.strip()]
    edge = min(map(_indentation, said), default=0)
    entry, more = "", list[str]()
    for line in said:
        if _indentation(line) > edge:
            more.append(line)
            continue
        if entry:
            yield entry, more
        entry, more = line.strip(), []
    if entry:
        yield entry, more


def _indented(lines: Iterable[str]) -> list[str]:
    """The lines up to the first that stands at the left edge."""
    return [*takewhile(lambda line: not line.strip() or line[0].isspace(), lines)]


def _is_section(line: str, below: str) -> bool:
    return bool(_SECTION.fullmatch(line) or _SECTION.fullmatch(f"{line}\n{below}"))


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
