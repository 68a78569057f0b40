"""The tensors of a plan into files: read, round, write and check a few rows at a time.

Knows the order of these steps. Does not know what else belongs to a model.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import mlx.core as mx

from qwen3_mlx.checkpoint.reader import TensorInfo, read_header
from qwen3_mlx.convert.check import Check, check_tensor
from qwen3_mlx.convert.ledger import Ledger
from qwen3_mlx.convert.plan import Plan, Shard, Target
from qwen3_mlx.convert.quantize import check_finite
from qwen3_mlx.convert.readers import Readers
from qwen3_mlx.convert.rounding import rounded
from qwen3_mlx.convert.sources import Source
from qwen3_mlx.convert.writer import ShardWriter
from qwen3_mlx.errors import ConversionError

Stage = Literal["converting", "comparing", "running prompts", "calibrating", "pruning"]


@dataclass(frozen=True)
class Progress:
    """How far a conversion has come.

    Attributes:
        done_bytes: Bytes of the destination's tensors that are done with so far.
        total_bytes: Bytes of all of them.
        stage: What is done with them.
    """

    done_bytes: int
    total_bytes: int
    stage: Stage = "converting"


class WeightWriter:
    """Writes the shards of a plan that are not there yet.

    Args:
        plan: What to write.
        source: Where the numbers are.
        ledger: What is done already, and where.
        verify: Whether every tensor is compared with the source once it is written.
        progress: Called after each tensor.
        release: Told of each of the source's files that is not needed any more, or None.
    """

    def __init__(
        self,
        plan: Plan,
        source: Source,
        ledger: Ledger,
        *,
        verify: bool,
        progress: Callable[[Progress], None] | None,
        release: Callable[[Path], None] | None = None,
    ) -> None:
        self._plan = plan
        self._source = source
        self._ledger = ledger
        self._verify = verify
        self._progress = progress
        self._readers = Readers(source, plan.targets, release) if release else None
        self._done = 0

    def write(self, digests: Future[dict[str, str]]) -> None:
        """Write every missing shard, and note it with the digests of the source.

        Raises:
            NonFiniteError: The source holds NaN or infinite numbers.
            ModelFileError: A file of the source has become unreadable.
            ConversionError: A tensor is not what it ought to be.
            OSError: A file could not be written.
        """
        for shard in self._plan.shards:
            if shard.name in self._ledger.shards:
                for target in shard.targets:
                    self._advance(target)
            else:
                checks = self._write_shard(shard, self._ledger.folder / shard.name)
                self._ledger.note(shard.name, {c.name: asdict(c) for c in checks}, digests.result())

    def _advance(self, target: Target) -> None:
        self._done += target.nbytes
        if self._readers is not None:
            self._readers.done(target)
        if self._progress is not None:
            self._progress(Progress(self._done, self._plan.total_bytes))

    def _write_shard(self, shard: Shard, path: Path) -> list[Check]:
        checks = []
        with ShardWriter(path, shard.stored) as writer:
            writer.flush()
            stored = read_header(path)
            for target in shard.targets:
                self._write_target(target, writer)
                if self._verify:
                    writer.flush()
                    checks.append(self._checked(target, stored))
                self._advance(target)
        return checks

    def _write_target(self, target: Target, writer: ShardWriter) -> None:
        """On the CPU: there the same numbers give the same bytes on every chip."""
        with mx.stream(mx.cpu):
            for rows in target.chunks():
                numbers = self._source.read(rows)
                check_finite(numbers, rows.tensor)
                for name, part in rounded(target, numbers).items():
                    check_finite(part, rows.tensor)
                    writer.append(name, part)

    def _checked(self, target: Target, stored: dict[str, TensorInfo]) -> Check:
        check = check_tensor(target, self._source, stored)
        if not check.exact or not check.is_within_bounds:
            raise ConversionError(
                f"the tensor {target.name} was not written as it ought to be: {check.describe()}",
                hint="The source changed meanwhile, or the disk or the memory is faulty.",
            )
        return check
