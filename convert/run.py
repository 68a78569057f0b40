"""The conversion from beginning to end: plan, then read, round and write a few rows at a time.

Knows the order of the steps. Leaves each of them to the module that is named after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qwen3_mlx.checkpoint.load import CONFIG, open_checkpoint
from qwen3_mlx.checkpoint.reader import INDEX
from qwen3_mlx.convert.card import CARD, make_card
from qwen3_mlx.convert.companions import mlx_config
from qwen3_mlx.convert.digests import digests_of, names_of
from qwen3_mlx.convert.find import find_source, origin_of
from qwen3_mlx.convert.folder import find_destination, staged
from qwen3_mlx.convert.job import job_of
from qwen3_mlx.convert.ledger import Ledger
from qwen3_mlx.convert.manifest import MANIFEST, make_manifest
from qwen3_mlx.convert.outputs import compare_outputs
from qwen3_mlx.convert.plan import Plan, make_plan
from qwen3_mlx.convert.recipe_file import choose_recipe
from qwen3_mlx.convert.sources import Source, open_source
from qwen3_mlx.convert.weights import Progress, WeightWriter
from qwen3_mlx.convert.writer import to_json


def convert(
    source: str | Path,
    destination: str | Path,
    recipe: str = "4bit",
    *,
    group_size: int | None = None,
    force: bool = False,
    verify: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Convert a Qwen3 checkpoint in Hugging Face's format to MLX's.

    The same source gives the same bytes. The destination appears under its name when it is
    complete and flushed, and not before.

    Args:
        source: Folder of a dense or mixture-of-experts model in bfloat16, float16 or float32, or
            the name of one that was fetched from the Hub.
        destination: Folder to create.
        recipe: `4bit`, `8bit`, `mxfp4`, `mixed-4-6`, `mixed-4-8` (routers at 8 bits in all),
            `bf16`, or the path of a TOML file (:mod:`qwen3_mlx.convert.recipe_file`).
        group_size: 128, 64 or 32 weights to a scale; 64 if None. Smaller where it does not
            divide the width of a tensor, and a width that 32 does not divide is left whole.
        force: Replace the destination if it is a model folder.
        verify: Compare every tensor with the source once it is written.
        progress: Called after each tensor.

    Returns:
        The destination, as an absolute path.

    Raises:
        UsageError: The recipe, the group size or the destination cannot be used.
        ModelNotFoundError: There is no such source.
        ModelFileError: The source is damaged, incomplete or not supported.
        NonFiniteError: The source holds NaN or infinite numbers.
        ConversionError: The destination could not be written.
    """
    chosen = choose_recipe(recipe, group_size)
    folder = find_source(source)
    target = find_destination(destination, folder, force=force)
    model = open_source(folder)
    plan = make_plan(model, chosen)
    files = model.companions() | _new_files(plan, model)
    named = names_of(folder, model.files)
    with staged(target) as staging, digests_of(named) as digests:
        ledger = Ledger.open(staging, job_of(plan, model, verify=verify))
        if ledger.shards:
            ledger.check_source(digests.result())
        WeightWriter(plan, model, ledger, verify=verify, progress=progress).write(digests)
        for name, data in files.items():
            (staging / name).write_bytes(data)
        _write_provenance(plan, model, ledger, origin_of(folder))
    return target


def _write_provenance(
    plan: Plan, model: Source, ledger: Ledger, origin: Mapping[str, object]
) -> None:
    """The card, and last the manifest: it says that everything else is there."""
    folder, checks = ledger.folder, ledger.checks
    stored = open_checkpoint(folder).tensors
    outputs = compare_outputs(model, plan.targets, stored, folder) if checks else None
    manifest = make_manifest(plan, ledger, origin)
    (folder / CARD).write_text(make_card(plan, manifest, checks, outputs), "utf-8")
    (folder / MANIFEST).write_text(to_json(manifest), "utf-8")


def _new_files(plan: Plan, model: Source) -> dict[str, bytes]:
    config = mlx_config(
        model.raw_config, model.config, dtype=plan.dtype, quantization=plan.quantization
    )
    return {CONFIG: to_json(config).encode(), INDEX: to_json(plan.index()).encode()}
