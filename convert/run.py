"""The conversion from beginning to end: plan, then read, round and write a few rows at a time.

Knows the order of the steps. Leaves each of them to the module that is named after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from qwen3_mlx.checkpoint.load import CONFIG, open_checkpoint
from qwen3_mlx.checkpoint.reader import INDEX
from qwen3_mlx.convert.calibrate import Method, find_calibration
from qwen3_mlx.convert.card import CARD, make_card
from qwen3_mlx.convert.check import check_tensor
from qwen3_mlx.convert.companions import mlx_config
from qwen3_mlx.convert.find import check_not_here, find_or_fetch
from qwen3_mlx.convert.folder import claimed, staged
from qwen3_mlx.convert.job import job_of
from qwen3_mlx.convert.kinds import notes_on
from qwen3_mlx.convert.learn import Learned, learn
from qwen3_mlx.convert.learned import as_stored
from qwen3_mlx.convert.ledger import Entry, Ledger
from qwen3_mlx.convert.manifest import MANIFEST, make_manifest, summary
from qwen3_mlx.convert.methods import check_method
from qwen3_mlx.convert.original import Original, opened, opened_remotely
from qwen3_mlx.convert.outputs import Outputs, compare_outputs
from qwen3_mlx.convert.plan import Plan, make_plan
from qwen3_mlx.convert.recipe_file import choose_recipe
from qwen3_mlx.convert.remote import Fetched
from qwen3_mlx.convert.sources import Source
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
    delete_source: bool = False,
    calibrate: str | Path | None = None,
    method: Method | None = None,
    progress: Callable[[Progress], None] | None = None,
    fetched: Fetched | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Convert a Qwen3 checkpoint in Hugging Face's format to MLX's.

    The same source gives the same bytes. The destination appears under its name when it is
    complete and flushed, and not before.

    Args:
        source: A dense or mixture-of-experts model: a folder in Hugging Face's format or MLX's, a
            GGUF file, or a repository on the Hub, which is fetched first if it is not there.
        destination: Folder to create.
        recipe: `4bit`, `8bit`, `mxfp4`, `mixed-4-6`, `mixed-4-8` (routers at 8 bits in all),
            `bf16`, or the path of a TOML file (:mod:`qwen3_mlx.convert.recipe_file`).
        group_size: 128, 64 or 32 weights to a scale; 64 if None. Smaller where it does not
            divide the width of a tensor, and a width that 32 does not divide is left whole.
        force: Replace the destination if it is a model folder.
        verify: Compare every tensor with the source once it is written.
        delete_source: Fetch the source's files one at a time, and keep none for longer than it is
            needed. The disk then holds the result and one or two of them.
        calibrate: A text to learn from how to round: UTF-8, or JSON lines with a `text` each.
        method: How it is learned, all weights in memory: `dwq`, `gptq`, or `awq` (dense models).
        progress: Called after each tensor.
        fetched: Called while a file comes from the Hub, with its name and bytes done and to do.
        note: Called before anything is written with each sentence that a person should know: that
            the source is rounded already, where the recipe's groups do not fit, that what was
            finished of another conversion is removed.

    Returns:
        The destination, as an absolute path.

    Raises:
        UsageError: The recipe, the group size, the destination, the method or its text cannot be
            used.
        ModelNotFoundError: There is no such source, or the Hub cannot be reached.
        FetchError: The connection broke off.
        ModelFileError: The source is damaged, incomplete or not supported.
        ModelTooLargeError: The weights do not fit into memory, and a method needs them there.
        NonFiniteError: The source holds NaN or infinite numbers.
        ConversionError: The destination could not be written.
    """
    chosen = choose_recipe(recipe, group_size)
    calibration = find_calibration(calibrate, method, keeps_source=not delete_source)
    if delete_source:
        check_not_here(str(source))
    folder = None if delete_source else find_or_fetch(source, fetched)
    with (
        claimed(destination, folder, force=force) as target,
        _opened(source, folder, target, fetched) as original,
    ):
        plan = make_plan(original.model, chosen)
        for sentence in notes_on(plan, original.model):
            if note is not None:
                note(sentence)
        if calibration is not None:
            check_method(calibration.method, plan, original.model.config)
        with staged(target, plan.total_bytes) as staging:
            learned = None if calibration is None else learn(plan, original.model, calibration)
            sha256 = learned.sha256 if learned else None
            job = job_of(plan, original.model, verify=verify, learned=sha256)
            ledger = Ledger.open(staging, job, note)
            _write(plan, original, ledger, learned, verify=verify, progress=progress)
    return target


def _opened(
    source: str | Path, folder: Path | None, target: Path, fetched: Fetched | None
) -> AbstractContextManager[Original]:
    if folder is not None:
        return opened(folder)
    return opened_remotely(str(source), target.with_name(f".{target.name}.source"), fetched)


def _write(
    plan: Plan,
    original: Original,
    ledger: Ledger,
    learned: Learned | None,
    *,
    verify: bool,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Everything that the destination holds."""
    model = original.model
    files = model.companions() | _new_files(plan, model)
    if ledger.shards:
        ledger.check_source(original.digests.result())
    writer = WeightWriter(
        plan if learned is None else as_stored(plan),
        model if learned is None else learned.source,
        ledger,
        verify=verify,
        progress=progress,
        release=original.release,
    )
    writer.write(original.digests)
    for name, data in files.items():
        (ledger.folder / name).write_bytes(data)
    _write_provenance(plan, original, ledger, files, learned, progress)


def _write_provenance(
    plan: Plan,
    original: Original,
    ledger: Ledger,
    files: Mapping[str, bytes],
    learned: Learned | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    """The card, and last the manifest: it says that everything else is there."""
    folder, checks = ledger.folder, ledger.checks
    outputs = _compared(plan, original, folder, progress) if checks else None
    if learned is not None and checks:
        checks = _errors(plan, original.model, folder) if learned.is_comparable else {}
    record = learned.record if learned else None
    notes = notes_on(plan, original.model)
    manifest = make_manifest(plan, ledger, original.origin, files, record)
    manifest |= {"notes": notes, "found": summary(checks, outputs)}
    (folder / CARD).write_text(make_card(plan, manifest, checks, outputs), "utf-8")
    (folder / MANIFEST).write_text(to_json(manifest), "utf-8")


def _compared(
    plan: Plan,
    original: Original,
    folder: Path,
    progress: Callable[[Progress], None] | None,
) -> Outputs | None:
    """What rounding did to the outputs; None where the source is not kept."""
    if original.release is not None:
        return None
    stored = open_checkpoint(folder).tensors
    return compare_outputs(original.model, plan.targets, stored, folder, progress)


def _errors(plan: Plan, model: Source, folder: Path) -> dict[str, Entry]:
    """How far learned weights, found to be written as they were learned, are from the source's."""
    stored = open_checkpoint(folder).tensors
    return {t.name: asdict(check_tensor(t, model, stored)) for t in plan.targets}


def _new_files(plan: Plan, model: Source) -> dict[str, bytes]:
    config = mlx_config(
        model.raw_config, model.config, dtype=plan.dtype, quantization=plan.quantization
    )
    return {CONFIG: to_json(config).encode(), INDEX: to_json(plan.index()).encode()}
