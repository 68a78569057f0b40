"""A converted folder against its source, tensor by tensor.

Knows which tensors there must be and what makes one bad. How one is compared is
:mod:`qwen3_mlx.convert.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.checkpoint.load import Checkpoint, open_checkpoint
from qwen3_mlx.checkpoint.reader import DTYPES, resolve_inside
from qwen3_mlx.checkpoint.recorded import digest_of, recorded_digests
from qwen3_mlx.convert.check import Check, check_tensor
from qwen3_mlx.convert.find import find_source
from qwen3_mlx.convert.manifest import is_learned
from qwen3_mlx.convert.outputs import Outputs, compare_outputs
from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.sources import Source, open_source
from qwen3_mlx.convert.weights import Progress
from qwen3_mlx.errors import ConversionError

MOST_NAMED = 5


@dataclass(frozen=True)
class Verification:
    """What was found about a converted folder.

    Attributes:
        checks: One for each of the network's tensors.
        outputs: How far apart the two are in what they say.
    """

    checks: tuple[Check, ...]
    outputs: Outputs


def verify(
    source: str | Path,
    destination: str | Path,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Verification:
    """Compare every tensor of a converted folder with the source.

    A tensor fails that is further from the source than its format allows, or that is not, bit for
    bit, what rounding the source gives, if the file with it is not the one that was written. Of
    weights that were learned it is only asked that their files are those that were written.

    Args:
        source: What it was made of: a folder, or the name of a model that was fetched.
        destination: In MLX's format, made by us or by mlx-lm.
        progress: Called after each tensor.

    Raises:
        ConversionError: Tensors fail; names them. Or it is another network than the source.
        ModelFileError: One of the two is damaged.
        ModelNotFoundError: One of the two is not there.
    """
    original = open_source(find_source(source))
    folder = find_source(destination)
    made = open_checkpoint(folder)
    if replace(made.config, dtype=None) != replace(original.config, dtype=None):
        raise ConversionError(f"{folder} holds another network than {source}: the configs differ")
    damaged = _damaged_files(folder)
    targets = [_target(name, original, made) for name in expected_tensors(original.config, {})]
    checks = tuple(_checks(targets, original, made, progress))
    learned = is_learned(folder)
    _refuse([c for c in checks if not learned and _is_bad(c, made, damaged)], damaged)
    return Verification(checks, compare_outputs(original, targets, made.tensors, folder, progress))


def _damaged_files(folder: Path) -> set[Path]:
    recorded = recorded_digests(folder).items()
    files = [(resolve_inside(folder, name), digest) for name, digest in recorded]
    return {path for path, digest in files if digest_of(path) != digest}


def _checks(
    targets: Sequence[Target],
    source: Source,
    made: Checkpoint,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Check]:
    total, done = sum(target.nbytes for target in targets), 0
    for target in targets:
        yield check_tensor(target, source, made.tensors)
        done += target.nbytes
        if progress is not None:
            progress(Progress(done, total, "comparing"))


def _target(name: str, source: Source, made: Checkpoint) -> Target:
    """How the tensor of that name is to be made out of the source to be like the one there is."""
    shape = expected_tensors(source.config, {})[name].shape
    path = name.removesuffix(".weight")
    spec = made.specs.get(path)
    numbers = made.tensors.get(f"{path}.biases" if spec else name)
    if numbers is None and spec is None:
        raise ConversionError(
            f"the tensor {name} is not stored as one",
            hint="Only folders in MLX's format are compared.",
        )
    dtype = mx.bfloat16 if numbers is None else DTYPES[numbers.dtype]
    return Target(name, shape, dtype, source.rows(name), spec)


def _is_bad(check: Check, made: Checkpoint, damaged: set[Path]) -> bool:
    if not check.is_within_bounds:
        return True
    return not check.exact and made.tensors[check.name].file in damaged


def _refuse(bad: Sequence[Check], damaged: set[Path]) -> None:
    if bad:
        named = [f"{check.name} ({check.describe()})" for check in bad[:MOST_NAMED]]
        more = f", and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        raise ConversionError(
            f"tensors that are not what they ought to be: {'; '.join(named)}{more}",
            hint="Convert the source again.",
        )
    for file in sorted(damaged):
        raise ConversionError(f"{file} is not the file that was written", hint="Convert again.")
