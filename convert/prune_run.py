"""Pruning from beginning to end: run a text, choose experts, write the model without the others.

Knows the order of the steps. Leaves each of them to the module that is named after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.checkpoint.load import CONFIG, Checkpoint
from qwen3_mlx.checkpoint.reader import INDEX
from qwen3_mlx.checkpoint.recorded import PRUNING
from qwen3_mlx.convert.card import CARD
from qwen3_mlx.convert.companions import mlx_config
from qwen3_mlx.convert.digests import digests_of, names_of
from qwen3_mlx.convert.find import find_or_fetch, origin_of
from qwen3_mlx.convert.folder import claimed, staged
from qwen3_mlx.convert.job import job_of
from qwen3_mlx.convert.ledger import Ledger
from qwen3_mlx.convert.observe import observe, open_sparse
from qwen3_mlx.convert.plan import Plan, make_plan
from qwen3_mlx.convert.prune_card import pruning_card, pruning_record
from qwen3_mlx.convert.prune_choice import Method, Pruning, check_choice, choose, note_on
from qwen3_mlx.convert.prune_source import PrunedSource
from qwen3_mlx.convert.recipes import Recipe
from qwen3_mlx.convert.remote import Fetched
from qwen3_mlx.convert.texts import read_text_file
from qwen3_mlx.convert.weights import Progress, WeightWriter
from qwen3_mlx.convert.writer import to_json

AS_IT_IS = Recipe("pruned")


def prune(
    source: str | Path,
    destination: str | Path,
    *,
    keep: int,
    calibrate: str | Path,
    method: Method = "reap",
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    fetched: Fetched | None = None,
    note: Callable[[str], None] | None = None,
) -> Pruning:
    """Remove experts from each sparse layer of a model, and their rows from its router.

    All weights are in memory while the calibration text is run; after that, a few rows at a time.
    What stays is written as it stands, to the last bit, and read back. The destination appears
    under its name when it is complete and flushed, and not before.

    Args:
        source: A mixture-of-experts model that `load` takes: a folder, or a repository on the Hub.
        destination: Folder to create.
        keep: How many experts stay in each layer.
        calibrate: The text to choose them on: UTF-8, or JSON lines with a `text` or `messages`
            each. It should hold what the model itself says, thoughts included.
        method: `reap` scores an expert by the mean of router weight times norm of its output
            (arXiv 2510.13999), `frequency` by how often it is chosen.
        force: Replace the destination if it is a model folder.
        progress: Called after each part of the text and each tensor.
        fetched: Called while a file comes from the Hub, with its name and bytes done and to do.
        note: Called with each sentence that a person should know.

    Raises:
        UsageError: The number, the method, the text or the destination cannot be used, or the
            model has no experts.
        ModelNotFoundError: There is no such source, or the Hub cannot be reached.
        FetchError: The connection broke off.
        ModelFileError: The source is damaged, incomplete or not supported.
        ModelTooLargeError: The weights do not fit into memory.
        NonFiniteError: The source holds or computes NaN or infinite numbers.
        ConversionError: The destination could not be written.
    """
    text = read_text_file(Path(calibrate))
    folder = find_or_fetch(source, fetched)
    checkpoint = open_sparse(folder)
    check_choice(keep, method, checkpoint.config)
    with claimed(destination, folder, force=force) as target:
        routing = observe(folder, text.documents, _calibrating(checkpoint, progress))
        mx.clear_cache()
        pruning = Pruning(target, method, text, routing, choose(routing, keep, method))
        doubt = note_on(routing, keep)
        if doubt is not None and note is not None:
            note(doubt)
        model = PrunedSource(folder, checkpoint, pruning.kept)
        plan = make_plan(model, AS_IT_IS, checkpoint.specs)
        with staged(target, plan.total_bytes) as staging:
            _write(folder, plan, model, pruning, staging, progress, note)
    return pruning


def _calibrating(
    checkpoint: Checkpoint, progress: Callable[[Progress], None] | None
) -> Callable[[int, int], None] | None:
    """Tokens of the text as parts of the bytes that are read for each."""
    if progress is None:
        return None
    nbytes = sum(info.nbytes for info in checkpoint.tensors.values())
    return lambda done, total: progress(Progress(nbytes * done // total, nbytes, "calibrating"))


def _write(
    folder: Path,
    plan: Plan,
    model: PrunedSource,
    pruning: Pruning,
    staging: Path,
    progress: Callable[[Progress], None] | None,
    note: Callable[[str], None] | None,
) -> None:
    """Everything that the destination holds; last what says that the rest is there."""
    files = model.companions() | _new_files(plan, model)
    job = job_of(plan, model, verify=True, learned=pruning.sha256)
    ledger = Ledger.open(staging, job, note)
    with digests_of(names_of(folder, model.files)) as digests:
        if ledger.shards:
            ledger.check_source(digests.result())
        writer = WeightWriter(plan, model, ledger, verify=True, progress=_pruning(progress))
        writer.write(digests)
    record = pruning_record(pruning, ledger, origin_of(folder), files)
    files |= {CARD: pruning_card(record, plan.total_bytes).encode()}
    for name, data in (files | {PRUNING: to_json(record).encode()}).items():
        (staging / name).write_bytes(data)


def _pruning(
    progress: Callable[[Progress], None] | None,
) -> Callable[[Progress], None] | None:
    """The same under the name that it has here."""
    return None if progress is None else lambda state: progress(replace(state, stage="pruning"))


def _new_files(plan: Plan, model: PrunedSource) -> dict[str, bytes]:
    config = mlx_config(model.raw_config, model.config, dtype=plan.dtype, quantization=None)
    sizes = {"total_parameters": _parameters(model), "total_size": plan.total_bytes}
    index = plan.index() | {"metadata": sizes}
    return {CONFIG: to_json(config).encode(), INDEX: to_json(index).encode()}


def _parameters(model: PrunedSource) -> int:
    """How many numbers the network has, packed or not."""
    return sum(math.prod(tensor.shape) for tensor in expected_tensors(model.config, {}).values())
