"""Which files of a source are still needed.

Knows the order of a plan. Does not know where files come from, nor what becomes of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.sources import Source


class Readers:
    """How many tensors are still to be made of each file of a source.

    Args:
        model: The source.
        targets: All that is to be made of it.
        release: Told of each file after the last tensor that is made of it.
    """

    def __init__(
        self, model: Source, targets: Iterable[Target], release: Callable[[Path], None]
    ) -> None:
        self._model = model
        self._release = release
        self._waiting = Counter(file for target in targets for file in self._files(target))

    def done(self, target: Target) -> None:
        """A tensor is made and needs no numbers any more."""
        for file in sorted(self._files(target)):
            self._waiting[file] -= 1
            if not self._waiting[file]:
                self._release(file)

    def _files(self, target: Target) -> set[Path]:
        return {file for part in target.parts for file in self._model.files_of(part.tensor)}
