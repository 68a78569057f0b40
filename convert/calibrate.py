"""The text that a quantization is learned from: a file, cut into samples of token ids.

Knows methods and lengths. Does not know what is learned, nor how a text becomes ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from qwen3_mlx.convert.texts import Document, read_text_file
from qwen3_mlx.errors import UsageError

Method = Literal["dwq", "gptq", "awq"]
METHODS: tuple[Method, ...] = get_args(Method)

# What mlx-lm takes where nobody says otherwise; AWQ keeps what every sample makes of a layer.
MOST_SAMPLES: Mapping[Method, int] = {"dwq": 2048, "gptq": 512, "awq": 128}
SAMPLE_TOKENS = 512
# Samples are taken in batches, as DWQ does. From one of them nothing is learned: on it is measured
# what was gained.
BATCH = 4
FEWEST_SAMPLES = 2 * BATCH

Sample = list[int]


@dataclass(frozen=True)
class Calibration:
    """A text, and the method that learns from it.

    Attributes:
        name: Of the file, without its folder.
        sha256: Of the file.
        documents: Its texts, in order.
    """

    method: Method
    name: str
    sha256: str
    documents: tuple[Document, ...]

    def samples(self, encode: Callable[[Document], list[int]], length: int) -> Samples:
        """The text's ids, one document after the other, in samples that do not overlap.

        Where there are more than the method takes, they are taken from all over the text.

        Args:
            encode: From a document to its ids.
            length: Of a sample, in ids.

        Raises:
            UsageError: The text is too short.
        """
        ids = [i for document in self.documents for i in encode(document)]
        cut = [ids[end - length : end] for end in range(length, len(ids) + 1, length)]
        if len(cut) < FEWEST_SAMPLES:
            raise UsageError(
                f"{self.name} is too short to learn from: it has {len(ids)} tokens",
                hint=f"Give at least {FEWEST_SAMPLES * length}, better a hundred times as many.",
            )
        count = min(len(cut) // BATCH * BATCH, MOST_SAMPLES[self.method] + BATCH)
        chosen = [cut[i] for i in _spread(len(cut), count)]
        held = _spread(len(chosen), BATCH)
        learned = [sample for i, sample in enumerate(chosen) if i not in held]
        return Samples(learned, [chosen[i] for i in held])


@dataclass(frozen=True)
class Samples:
    """Samples of one length: those to learn from, and a batch to measure on."""

    learned: list[Sample]
    held: list[Sample]


def _spread(end: int, count: int) -> list[int]:
    """So many numbers, evenly from 0 to `end`."""
    return [i * end // count for i in range(count)]


def find_calibration(
    path: str | Path | None, method: str | None, *, keeps_source: bool = True
) -> Calibration | None:
    """What a person asks for: a method and a text, or neither.

    Args:
        path: A file as :func:`~qwen3_mlx.convert.texts.read_text_file` takes it.
        method: One of `METHODS`.
        keeps_source: Whether the source is there as a whole.

    Raises:
        UsageError: One was given without the other, there is no such method, the file cannot be
            read as text, or the source comes in pieces.
    """
    if path is None and method is None:
        return None
    if path is None or method is None:
        given, other = ("method", "calibrate") if path is None else ("calibrate", "method")
        raise UsageError(f"{given} needs {other} beside it", hint=_usage())
    if not keeps_source:
        raise UsageError(
            f"{method} learns from the whole source, which cannot be deleted meanwhile",
            hint="Leave out --delete-source.",
        )
    for known in METHODS:
        if known == method:
            return _read(Path(path), known)
    raise UsageError(f"there is no method {method!r}", hint=_usage())


def _usage() -> str:
    return f"A method ({', '.join(METHODS)}) learns from the text in a file."


def _read(path: Path, method: Method) -> Calibration:
    text = read_text_file(path)
    return Calibration(method, text.name, text.sha256, text.documents)
