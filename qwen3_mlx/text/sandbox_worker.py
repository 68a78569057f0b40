"""The process in which a stranger's chat template runs: a script that `sandbox` starts.

Knows Jinja and this process's limits. Reads one job as JSON from stdin and writes the
rendered texts as JSON to stdout. Whatever goes wrong ends the process: by a signal (CPU
time), or with a short line on stderr, which `sandbox` reports.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from datetime import datetime
from threading import Thread
from time import sleep
from types import TracebackType
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

EXIT_UNSAFE, EXIT_REFUSED, EXIT_TOO_LARGE = 3, 4, 5

MOST_LETTERS = 200
"""Of what is said about an error: a template may write millions into one."""

# macOS counts resident memory in bytes, Linux in KiB.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_WATCH_SECONDS = 0.005


class RefusedError(Exception):
    """The template says itself that it cannot render these messages."""


class TooLargeError(Exception):
    """The template writes more than it may."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, refusing where the original quietly yields nothing."""

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        raise SecurityError(f"it reaches for {attribute!r} of a {type(obj).__name__}")


class GenerationTag(Extension):
    """`{% generation %}`, with which templates mark replies for training: its body as it is."""

    tags = {"generation"}  # noqa: RUF012 - declared so by Jinja

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def limit_process(seconds: float, memory: int) -> None:
    """End this process after `seconds` of CPU time, or where it takes `memory` bytes."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    else:
        watch_memory(memory)


def watch_memory(memory: int) -> None:
    """End this process soon after it has grown by `memory` bytes.

    For macOS, where a limit on the address space cannot be relied on. A single allocation
    that never lets this thread run is ended by the limit on CPU time.
    """
    Thread(target=_watch, args=(_peak_bytes() + memory,), daemon=True).start()


def _watch(limit: int) -> None:
    while _peak_bytes() < limit:
        sleep(_WATCH_SECONDS)
    os._exit(EXIT_TOO_LARGE)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT


def render_all(template: str, renders: list[dict[str, Any]], characters: int) -> list[str]:
    """The template's text for each set of variables.

    Raises:
        RefusedError: The template called `raise_exception`.
        TooLargeError: The texts are longer than `characters` together.
    """
    # The settings, filters and functions are those that transformers gives to templates.
    sandbox = Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension, GenerationTag]
    )
    sandbox.filters["tojson"] = _tojson
    sandbox.globals["raise_exception"] = _refuse
    sandbox.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    compiled = sandbox.from_string(template)
    texts: list[str] = []
    for variables in renders:
        texts.append(_join(compiled.generate(**variables), characters))
        characters -= len(texts[-1])
    return texts


def _join(chunks: Any, characters: int) -> str:
    kept: list[str] = []
    for chunk in chunks:
        characters -= len(chunk)
        if characters < 0:
            raise TooLargeError
        kept.append(chunk)
    return "".join(kept)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> NoReturn:
    raise RefusedError(message)


def main() -> int:
    """Do the one job on stdin; the exit code says how it went."""
    sys.excepthook = _broken
    job = json.load(sys.stdin)
    limit_process(job["seconds"], job["memory"])
    try:
        written = _rendered(job)
    except SecurityError as error:
        return _fail(EXIT_UNSAFE, error)
    except RefusedError as error:
        return _fail(EXIT_REFUSED, error)
    except (TooLargeError, MemoryError) as error:
        return _fail(EXIT_TOO_LARGE, error)
    sys.stdout.buffer.write(written)
    return 0


def _rendered(job: dict[str, Any]) -> bytes:
    texts = render_all(job["template"], job["renders"], job["characters"])
    return json.dumps(texts, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _fail(code: int, error: BaseException) -> int:
    _complain(str(error))
    return code


def _broken(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """In place of a traceback; Python then ends the process with code 1."""
    _complain(f"{kind.__name__}: {error}")


def _complain(text: str) -> None:
    """One short line."""
    sys.stderr.write(" ".join(text[:MOST_LETTERS].split()))


if __name__ == "__main__":
    sys.exit(main())
