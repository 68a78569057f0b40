"""Others that run the same model: mlx-lm on the same files, llama.cpp on a GGUF file.

Knows how each is imported, loaded and made to continue ids. Neither is imported before it is asked
for, and whatever goes wrong in one of them becomes an error of ours that names it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import mlx.core as mx

from qwen3_mlx.errors import ModelTooLargeError, Qwen3Error, UsageError
from qwen3_mlx.measure.samples import Clock, Continued, Holding, Sample, take_sample
from qwen3_mlx.memory import free_memory, shown_bytes

MLX_LM = "mlx-lm"
LLAMA_CPP = "llama.cpp"
LLAMA_PACKAGE = "llama-cpp-python"

Prompts = Callable[[int], Sequence[int]]
"""A length -> the ids of a prompt of that length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A loaded model of somebody else, as a runner.

    Attributes:
        name: What it is called.
        version: Of its package.
        load_seconds: That loading took, without imports.
        continued: Continues ids greedily.
        prompt: The ids of a prompt.
        clock: Seconds, from any start.
        held_bytes: What it takes of MLX's memory; None where MLX does not see it.
    """

    name: str
    version: str
    load_seconds: float
    continued: Continued
    prompt: Prompts
    clock: Clock
    held_bytes: int | None = None

    def run(self, length: int, tokens: int) -> Sample:
        """As :meth:`Runner.run`.

        Raises:
            Qwen3Error: it failed, or ended before so many tokens.
        """
        with failures_named(self.name):
            sample = take_sample(
                self.continued,
                self.prompt(length),
                tokens,
                clock=self.clock,
                held=self.held_bytes,
            )
        if sample.tokens < tokens:
            raise Qwen3Error(f"{self.name} ended after {sample.tokens} of {tokens} tokens")
        return sample


@contextmanager
def failures_named(name: str) -> Iterator[None]:
    """Turns whatever a peer raises into an error of ours that names it."""
    try:
        yield
    except Qwen3Error:
        raise
    except Exception as error:
        raise Qwen3Error(f"{name} failed: {str(error) or type(error).__name__}") from error


def check_mlx_lm() -> None:
    """Refuse to go on without mlx-lm.

    Raises:
        UsageError: it cannot be imported.
    """
    _imported(MLX_LM, "mlx_lm.generate", MLX_LM)


def open_mlx_lm(folder: Path, prompt: Prompts, clock: Clock, dtype: mx.Dtype | None) -> Peer:
    """Load a model folder with mlx-lm.

    Args:
        folder: The model, checked as `load` does.
        prompt: The ids of a prompt.
        clock: Seconds, from any start.
        dtype: What to compute in; None: what mlx-lm chooses.

    Raises:
        ModelTooLargeError: there is no memory for it beside what is loaded.
        Qwen3Error: mlx-lm cannot be imported, or not load the model.
    """
    check_mlx_lm()
    _check_room(MLX_LM, sum(file.stat().st_size for file in folder.glob("*.safetensors")))
    holding, start = Holding(), clock()
    with failures_named(MLX_LM):
        continued = mlx_lm_continued(folder, dtype)
    return Peer(
        name=MLX_LM,
        version=_version(MLX_LM),
        load_seconds=clock() - start,
        continued=continued,
        prompt=prompt,
        clock=clock,
        held_bytes=holding.bytes(),
    )


def mlx_lm_continued(folder: Path, dtype: mx.Dtype | None) -> Continued:
    """mlx-lm's own greedy generation, with the model of a folder loaded.

    Args:
        folder: The model. No code of it is run.
        dtype: What to compute in; None: what mlx-lm chooses.
    """
    generate = _imported(MLX_LM, "mlx_lm.generate", MLX_LM)
    model, _ = import_module("mlx_lm.utils").load_model(folder, trust_remote_code=False)
    if dtype is not None:
        model.set_dtype(dtype)
        mx.eval(model.parameters())

    def continued(ids: Sequence[int], tokens: int) -> Iterator[int]:
        for token, _ in generate.generate_step(mx.array(list(ids)), model, max_tokens=tokens):
            yield int(token)

    return continued


def check_llama_cpp(gguf: Path) -> None:
    """Refuse to go on without llama.cpp's bindings or without a file for them.

    Raises:
        UsageError: they cannot be imported, or there is no such file.
    """
    _imported(LLAMA_CPP, "llama_cpp", LLAMA_PACKAGE)
    if not gguf.is_file():
        raise UsageError(f"there is no file {gguf}", hint="Name a GGUF file with --gguf.")


def open_llama_cpp(gguf: Path, prompt: Prompts, clock: Clock, context: int) -> Peer:
    """Load a GGUF file with llama-cpp-python, as many layers on the GPU as there are.

    Threads are left to its own defaults.

    Args:
        gguf: The same model, rounded in its own way.
        prompt: The ids of a prompt; of the same vocabulary.
        clock: Seconds, from any start.
        context: Tokens of prompt and reply together.

    Raises:
        ModelTooLargeError: there is no memory for it beside what is loaded.
        Qwen3Error: the bindings cannot be imported, or not load the file, or its vocabulary is
            smaller than the prompt's.
    """
    check_llama_cpp(gguf)
    _check_room(LLAMA_CPP, gguf.stat().st_size)
    llama_cpp = import_module("llama_cpp")
    start = clock()
    with failures_named(LLAMA_CPP):
        llama = llama_cpp.Llama(str(gguf), n_ctx=context, n_gpu_layers=-1, verbose=False)
        load_seconds = clock() - start
        _check_vocabulary(llama.n_vocab(), prompt(context))
    return Peer(
        name=LLAMA_CPP,
        version=f"{LLAMA_PACKAGE} {_version(LLAMA_PACKAGE)}",
        load_seconds=load_seconds,
        continued=_llama_continued(llama),
        prompt=prompt,
        clock=clock,
    )


def _llama_continued(llama: Any) -> Continued:
    def continued(ids: Sequence[int], tokens: int) -> Iterator[int]:
        llama.reset()  # or it would take the prompt from its cache
        yield from islice(llama.generate(ids, top_k=1, temp=0.0), tokens)

    return continued


def _check_vocabulary(size: int, ids: Sequence[int]) -> None:
    if max(ids) >= size:
        raise UsageError(
            f"the GGUF file has a vocabulary of {size} tokens, too few for this model's prompts",
            hint="Give the GGUF file of the same model.",
        )


def _check_room(name: str, nbytes: int) -> None:
    """Refuse a second copy of the weights that does not fit beside the first."""
    if nbytes > (free := free_memory()):
        raise ModelTooLargeError(
            f"{name} needs {shown_bytes(nbytes)} for weights of its own, and"
            f" {shown_bytes(free)} are left beside the loaded model",
            hint="Measure without --against, or with a smaller model.",
        )


def _imported(name: str, module: str, package: str) -> Any:
    """A peer's module; what it and its own peers deprecate is not ours to mend.

    Raises:
        UsageError: it cannot be imported, with the command that installs it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return import_module(module)
    except (ImportError, OSError) as error:  # a library that it needs is missing, or is broken
        raise UsageError(
            f"{name} cannot be imported: {error}", hint=f"Install it: pip install {package}"
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a clone that was never installed
        return "of an unknown version"
