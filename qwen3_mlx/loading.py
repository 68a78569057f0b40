"""From a name to a model that is ready: which part from which room, and in which order.

Everything is checked before a weight is read. Does not know formats, arrays or screens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import mlx.core as mx

from qwen3_mlx.checkpoint.companions import check_companions
from qwen3_mlx.checkpoint.expert_memory import parse_expert_memory
from qwen3_mlx.checkpoint.hub import Source, resolve
from qwen3_mlx.checkpoint.load import Checkpoint, LoadedModel, open_checkpoint
from qwen3_mlx.checkpoint.prompt_arrays import plain_layout
from qwen3_mlx.checkpoint.prompt_folder import PromptFolder, default_folder
from qwen3_mlx.checkpoint.prompt_identity import model_identity, weights_identity
from qwen3_mlx.checkpoint.prompt_store import PromptStore
from qwen3_mlx.checkpoint.recorded import check_recorded
from qwen3_mlx.errors import UsageError, check_type
from qwen3_mlx.fitting import Fitting, counted_tokens
from qwen3_mlx.generation import defaults
from qwen3_mlx.generation.calibration import CAUTIOUS, Calibration
from qwen3_mlx.generation.calibration_file import (
    calibrations_folder,
    own_path,
    read_of,
    shipped_path,
)
from qwen3_mlx.generation.defaults import Defaults
from qwen3_mlx.generation.drafting import DraftModel, PromptLookup
from qwen3_mlx.generation.speculation import Drafting
from qwen3_mlx.memory import bound_cache, wire_memory
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.cache_kinds import layer_cache
from qwen3_mlx.model.tune import tune
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.files import read_object_if_there
from qwen3_mlx.text.template import ChatTemplate, load_template
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer

BUNDLED_BUDGET = 512
LOOKUP = "lookup"
GENERATION_CONFIG = "generation_config.json"


def load(
    name: str = "tiny",
    *,
    context: int | None = None,
    expert_memory: str | None = None,
    offline: bool = False,
    dtype: mx.Dtype | None = None,
    compiled: bool | None = None,
    draft: str | None = None,
    kv_bits: int | None = None,
    max_kv: int | None = None,
    save_cache: bool = False,
    wired: bool = False,
    calibration: Path | None = None,
) -> LLM:
    """Load a model.

    Args:
        name: A bundled model, an alias like `8b`, a Hugging Face repository, or a folder.
        context: Tokens of prompt and reply; more than the model was made for turns YaRN on.
        expert_memory: For a mixture of experts, how much of its experts is in memory at a time:
            `6GB`, `40%` of them, or `auto` for what this machine has left; the others are read
            when they are needed. None: all are in memory.
        offline: Never use the network.
        dtype: What to compute in; None: float32 on a CPU, the checkpoint's own type elsewhere.
        compiled: Whether to compile the decode step; None: on a GPU. On a CPU it is faster too,
            but the first time on a machine a C++ compiler works on it for some ten seconds.
            With experts that are read when they are needed it is never compiled.
        draft: Who guesses tokens ahead, where that pays: `lookup` for the text itself, or the name
            of a smaller model with the same vocabulary. The replies stay the same.
        kv_bits: Round keys and values to 8 or 4 bits, from 1024 tokens on: less memory.
        max_kv: Let a token see the first tokens and the last ones only, so many together.
        save_cache: Whether what the model reads is saved on the disk, at most 10 GB, and taken
            from there when a prompt begins alike: `llm.prompts`. The replies stay the same.
        wired: Whether macOS is asked to keep the model's memory resident, for the whole process;
            others tie it to kernel panics (see `qwen3_mlx.memory.wire_memory`). Nothing happens
            without Metal.
        calibration: A file that `qwen3-mlx curve --calibrate` wrote, for the budget `auto`; None:
            the one that a person made of this model, else the one that came with it, else a
            cautious one.

    Raises:
        ModelNotFoundError: not on this machine, with the command that fetches it.
        ModelFileError: its files are damaged, incomplete or contradict each other.
        UnsupportedModelError: they ask for something that is not implemented.
        ModelTooLargeError: it does not fit into this machine's memory.
        UsageError: a context, dtype, draft, cache or memory for experts that is not possible, or an
            argument of another type.
    """
    start = perf_counter()
    check_type("name", name, str)
    _check_types(
        (str, {"expert_memory": expert_memory, "draft": draft}),
        (bool, {"offline": offline, "compiled": compiled, "save_cache": save_cache}),
        (bool, {"wired": wired}),
        (Path, {"calibration": calibration}),
    )
    memory = None if expert_memory is None else parse_expert_memory(expert_memory)
    source = resolve(name, offline=offline)
    folder = _open(source)
    calibrated = find_calibration(source, folder.checkpoint, calibration)
    cache = _cache_kind(folder.checkpoint, kv_bits, max_kv, save_cache=save_cache)
    tokens = counted_tokens(folder.checkpoint, context, max_kv)
    beside = _draft_bytes(draft, counted_tokens(folder.checkpoint, context, None), offline=offline)
    fitting = Fitting(folder.checkpoint, dtype, tokens, kv_bits, beside)
    slots = None if memory is None else fitting.slots(name, memory)
    prefill_chunk = fitting.check(slots)
    bound_cache()
    if wired:
        wire_memory()
    loaded = folder.checkpoint.load(dtype=dtype, context=context, expert_slots=slots)
    loaded.model.layer_cache = cache
    _tune(loaded, fitting, slots, compiled)
    return LLM(
        name=name,
        path=source.path,
        source=source,
        config=loaded.config,
        expert_slots=slots,
        model=loaded.model,
        tokenizer=folder.tokenizer,
        template=folder.template,
        defaults=folder.defaults,
        context_length=loaded.config.context_length,
        prefill_chunk=prefill_chunk,
        drafting=_drafting(draft, folder.tokenizer, offline=offline),
        prompts=_prompts(source.path, folder, loaded) if save_cache else None,
        calibration=calibrated,
        load_seconds=perf_counter() - start,
    )


def _check_types(*arguments: tuple[type, Mapping[str, object]]) -> None:
    """Refuse arguments of another type than theirs or None."""
    for kind, values in arguments:
        for name, value in values.items():
            if value is not None:
                check_type(name, value, kind)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A model's folder, checked: all that is read of it before its weights."""

    checkpoint: Checkpoint
    tokenizer: Tokenizer
    template: ChatTemplate
    defaults: Defaults


def _open(source: Source) -> _Folder:
    check_companions(source.path)
    checkpoint = open_checkpoint(source.path)
    tokenizer = load_tokenizer(source.path, vocab_size=checkpoint.config.vocab_size)
    template = load_template(source.path, tokenizer)
    settings = model_defaults(source, template)
    check_recorded(source.path)
    return _Folder(checkpoint, tokenizer, template, settings)


def _cache_kind(
    checkpoint: Checkpoint, kv_bits: int | None, max_kv: int | None, *, save_cache: bool
) -> Callable[[], KVCache]:
    kind = layer_cache(checkpoint.config, kv_bits, max_kv)
    if save_cache and kind is not KVCache:
        raise UsageError(
            "only whole caches can be saved, neither rounded nor sliding ones",
            hint="Leave out save_cache, or kv_bits and max_kv.",
        )
    return kind


def _tune(loaded: LoadedModel, fitting: Fitting, slots: int | None, compiled: bool | None) -> None:
    if slots is None:
        tune(loaded.model, spare=fitting.spare(), compiled=compiled)
    else:  # which experts are needed is decided outside any graph, and memory is short
        tune(loaded.model, spare=0, compiled=False)
        mx.clear_cache()


def _draft_bytes(draft: str | None, tokens: int, *, offline: bool) -> int:
    """What the model that guesses takes of the memory: it reads all that the other does."""
    if draft is None or draft == LOOKUP:
        return 0
    checkpoint = open_checkpoint(resolve(draft, offline=offline).path)
    return Fitting(checkpoint, None, tokens, None).needed()


def _drafting(draft: str | None, tokenizer: Tokenizer, *, offline: bool) -> Drafting | None:
    if draft is None:
        return None
    if draft == LOOKUP:
        return Drafting(PromptLookup)
    small = load(draft, offline=offline)
    if not tokenizer.same_vocabulary(small.tokenizer):
        raise UsageError(
            f"{draft} cannot guess for this model: its vocabulary is another one",
            hint="Choose a smaller model of the same family, or `lookup`.",
        )
    return Drafting(lambda: DraftModel(small.model, tokenizer.vocab_size))


def _prompts(path: Path, folder: _Folder, loaded: LoadedModel) -> PromptStore:
    """What this model has read, in the cache folder of the person."""
    dtype = loaded.model.model.norm.weight.dtype
    identity = model_identity(path, folder.checkpoint, loaded.config, dtype)
    layout = plain_layout(identity, loaded.config, dtype)
    return PromptStore(PromptFolder(default_folder()), layout, folder.tokenizer.control.im_start)


def identity(folder: Path) -> str:
    """What tells a model's files from those of all others, wherever they lie.

    Raises:
        ModelFileError: its files are damaged, incomplete or contradict each other.
    """
    return weights_identity(folder, open_checkpoint(folder))


def find_calibration(source: Source, checkpoint: Checkpoint, path: Path | None) -> Calibration:
    """What is known about a model for a budget that sets itself; `path` before all else.

    Raises:
        UsageError: a file is no calibration, or another model's.
    """
    if path is not None:
        return read_of(path, weights_identity(source.path, checkpoint))
    shipped = shipped_path(source.path.name)
    ships = source.kind == "bundled" and shipped.is_file()
    if not (ships or calibrations_folder().is_dir()):
        return CAUTIOUS
    own = own_path(weights_identity(source.path, checkpoint))
    if own.is_file():
        return read_of(own, own.stem)
    return read_of(shipped, own.stem) if ships else CAUTIOUS


def model_defaults(source: Source, template: ChatTemplate) -> Defaults:
    """What a model uses where a person says nothing; reads its `generation_config.json` alone.

    Raises:
        ModelFileError: a value in that file is of the wrong type or out of range.
    """
    config = read_object_if_there(source.path / GENERATION_CONFIG)
    budget = BUNDLED_BUDGET if source.kind == "bundled" else defaults.BUDGET
    return defaults.read_defaults(config, template.family, budget=budget)
