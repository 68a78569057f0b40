"""Quantization that is learned: mlx-lm does the work, and our writer and checks have it last."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.convert import calibrate, convert, learn, verify
from qwen3_mlx.convert.calibrate import METHODS, Method, find_calibration
from qwen3_mlx.convert.methods import LEARNERS, Learner, Lesson, Network
from qwen3_mlx.errors import (
    ConversionError,
    ModelTooLargeError,
    Qwen3Error,
    UnsupportedModelError,
    UsageError,
)
from qwen3_mlx.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

ORIGINALS = Path(__file__).parent.parent.parent / "training" / "originals"
DENSE, MOE = ORIGINALS / "tiny-dense", ORIGINALS / "tiny"
TOKENIZER = DENSE / "tokenizer.json"
UP = "model.layers.0.mlp.switch_mlp.up_proj"
LENGTH = 32


def sums(seed: int, count: int) -> str:
    """A text of sums, a line each."""
    rng = random.Random(seed)
    pairs = [(rng.randint(1, 999), rng.randint(1, 999)) for _ in range(count)]
    return "".join(f"What is {a}+{b}? {a}+{b}={a + b}. It is {a + b}.\n" for a, b in pairs)


@pytest.fixture(scope="module", autouse=True)
def mlx_lm() -> ModuleType:
    """mlx-lm's loader; what it and transformers deprecate is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import mlx_lm.quant.awq
        import mlx_lm.quant.dwq
        import mlx_lm.quant.gptq
        import mlx_lm.utils

        return mlx_lm.utils


@pytest.fixture(autouse=True)
def _short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "SAMPLE_TOKENS", LENGTH)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Sixteen samples and a rest."""
    path = tmp_path / "sums.txt"
    path.write_text(sums(1, 18), "utf-8")
    return path


@pytest.fixture
def small(make_checkpoint: Callable[..., Checkpoint], tmp_path: Path) -> Path:
    """A dense network of one layer, with the bundled models' tokenizer."""
    checkpoint = make_checkpoint(
        {"model_type": "qwen3", "num_hidden_layers": 1, "vocab_size": 1600, "hidden_size": 64}
    )
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    return checkpoint.save(tmp_path / "small")


def arrays_of(folder: Path) -> dict[str, mx.array]:
    arrays = mx.load(str(folder / "model.safetensors"))
    assert isinstance(arrays, dict)
    return arrays


def kl(source: Path, folder: Path, text: str) -> float:
    """Of the folder's network from the source's, both ours, in nats a token."""
    ids = mx.array([load_tokenizer(source).encode(text)])
    models = (load_checkpoint(path, dtype=mx.float32).model for path in (source, folder))
    before, after = (x - mx.logsumexp(x, axis=-1, keepdims=True) for x in (m(ids) for m in models))
    return float((mx.exp(before) * (before - after)).sum(axis=-1).mean().item().real)


def spied(monkeypatch: pytest.MonkeyPatch, method: Method) -> list[dict[str, mx.array]]:
    """What mlx-lm's function leaves in the network that it was given, once it has been called."""
    module = import_module(f"mlx_lm.quant.{method}")
    original = getattr(module, f"{method}_quantize")
    learned: list[dict[str, mx.array]] = []

    def call(model: Network, *args: object, **kwargs: object) -> None:
        original(model, *args, **kwargs)
        learned.append(dict(tree_flatten(model.parameters())))

    monkeypatch.setattr(module, f"{method}_quantize", call)
    return learned


@pytest.mark.parametrize("method", METHODS)
def test_what_was_learned_is_what_was_written(
    method: Method,
    small: Path,
    text: Path,
    mlx_lm: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Bit for bit; mlx-lm loads it, and it says about what the original says."""
    learned = spied(monkeypatch, method)
    folder = convert(small, tmp_path / "out", calibrate=text, method=method)
    assert capfd.readouterr() == ("", "")
    written = arrays_of(folder)
    assert written.keys() == learned[0].keys()
    for name, array in written.items():
        assert mx.array_equal(array, learned[0][name].astype(array.dtype)), name

    theirs, _ = mlx_lm.load_model(folder)
    theirs.set_dtype(mx.float32)
    ids = mx.array([load_tokenizer(small).encode(sums(2, 3))])
    assert mx.all(mx.isfinite(theirs(ids)))
    assert mx.allclose(theirs(ids), load_checkpoint(folder, dtype=mx.float32).model(ids), atol=1e-3)
    plain = convert(small, tmp_path / "plain")
    assert kl(small, folder, sums(2, 9)) < 1.1 * kl(small, plain, sums(2, 9)) < 0.1


@pytest.mark.parametrize("method", METHODS)
def test_manifest_and_card_say_how_it_was_learned(
    method: Method, small: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the method itself does is beside the point: it leaves everything as it is."""
    monkeypatch.setattr(LEARNERS[method], "run", rounded_plainly)
    folder = convert(small, tmp_path / "out", calibrate=text, method=method)
    manifest = json.loads((folder / "conversion.json").read_text("utf-8"))
    sha256 = hashlib.sha256(text.read_bytes()).hexdigest()
    learned = manifest["learned"]
    assert learned["method"] == method
    assert learned["text"] == {"name": "sums.txt", "sha256": sha256}
    assert learned["held_out"]["tokens"] == 4 * LENGTH
    assert learned["tokens"] % (4 * LENGTH) == 0
    assert learned["held_out"]["kl"] == learned["held_out"]["kl_of_plain_rounding"] > 0
    assert manifest["versions"].keys() == {"qwen3-mlx", "mlx", "mlx-lm"}
    card = (folder / "README.md").read_text("utf-8")
    assert f"mlx-lm's {method.upper()}" in card
    assert sha256 in card
    assert "each bit is what was learned" in card
    assert ("not compared" in card) == (method == "awq")


def rounded_plainly(learner: Learner, lesson: Lesson) -> Network:
    return lesson.build(learner.plain() | learner.learned().keys())


def test_plain_rounding_is_brought_back_unchanged(
    small: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that does nothing gives the very bytes of a conversion without one."""
    monkeypatch.setattr(LEARNERS["dwq"], "run", rounded_plainly)
    folder = convert(small, tmp_path / "out", calibrate=text, method="dwq")
    plain = convert(small, tmp_path / "plain")
    for name in ("model.safetensors", "config.json", "model.safetensors.index.json"):
        assert (folder / name).read_bytes() == (plain / name).read_bytes()
    assert "learned" not in json.loads((plain / "conversion.json").read_text("utf-8"))


def test_the_same_text_gives_the_same_bytes(small: Path, text: Path, tmp_path: Path) -> None:
    first, second = (
        convert(small, tmp_path / name, calibrate=text, method="dwq") for name in ("one", "two")
    )
    assert [p.name for p in sorted(first.iterdir())] == [p.name for p in sorted(second.iterdir())]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_dwq_is_closer_to_the_source_than_plain_rounding(
    make_checkpoint: Callable[..., Checkpoint], text: Path, tmp_path: Path
) -> None:
    """On text that nothing was learned from; already after five steps, and on experts.

    The network is random: one that was trained through rounding leaves little to be learned.
    """
    checkpoint = make_checkpoint({"vocab_size": 1600, "num_hidden_layers": 1})
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    source = checkpoint.save(tmp_path / "source")
    text.write_text(sums(1, 26), "utf-8")
    learned = convert(source, tmp_path / "out", calibrate=text, method="dwq", verify=False)
    plain = convert(source, tmp_path / "plain", verify=False)
    assert kl(source, learned, sums(3, 9)) < 0.95 * kl(source, plain, sums(3, 9))


def test_gptq_on_experts_leaves_embedding_and_routers_to_plain_rounding(
    make_checkpoint: Callable[..., Checkpoint], text: Path, tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"vocab_size": 1600, "num_hidden_layers": 1})
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    source = checkpoint.save(tmp_path / "source")
    learned = arrays_of(convert(source, tmp_path / "out", calibrate=text, method="gptq"))
    plain = arrays_of(convert(source, tmp_path / "plain"))
    same = {name for name in plain if mx.array_equal(learned[name], plain[name])}
    modules = {name.rpartition(".")[0] for name in same if "norm" not in name}
    assert {"model.embed_tokens", "model.layers.0.mlp.gate"} <= modules
    assert f"{UP}.weight" not in same
    assert kl(source, tmp_path / "out", sums(2, 9)) < 1.1 * kl(
        source, tmp_path / "plain", sums(2, 9)
    )


def test_dwq_learns_experts_and_keeps_codes(
    make_checkpoint: Callable[..., Checkpoint], text: Path, tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"vocab_size": 1600, "num_hidden_layers": 1})
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    source = checkpoint.save(tmp_path / "source")
    learned = arrays_of(convert(source, tmp_path / "out", calibrate=text, method="dwq"))
    plain = arrays_of(convert(source, tmp_path / "plain"))
    moved = {name for name in plain if not mx.array_equal(learned[name], plain[name])}
    assert f"{UP}.scales" in moved
    assert all(name.endswith((".scales", ".biases")) for name in moved)
    assert not any(".mlp.gate." in name for name in moved)


def test_verify_accepts_what_was_learned_and_no_other_file(
    small: Path, text: Path, tmp_path: Path
) -> None:
    """Its errors are larger than plain rounding's: that is no fault."""
    folder = convert(small, tmp_path / "out", calibrate=text, method="gptq")
    assert max(check.worst for check in verify(small, folder).checks) > 1
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ConversionError, match="not the file that was written"):
        verify(small, folder)


@pytest.mark.parametrize(
    ("source", "method", "recipe", "kind", "message"),
    [
        (MOE, "awq", "4bit", UnsupportedModelError, "AWQ on a mixture of experts"),
        (MOE, "gptq", "bf16", UsageError, "GPTQ has nothing to learn with the recipe bf16"),
        (MOE, "dwq", "8bit", UsageError, "DWQ has nothing to learn with the recipe 8bit"),
        (DENSE, "dwq", "mxfp4", UsageError, "DWQ has nothing to learn with the recipe mxfp4"),
        (DENSE, "gptq", "mxfp4", UsageError, "GPTQ has nothing to learn with the recipe mxfp4"),
        (DENSE, "awq", "mixed-4-6", UsageError, "AWQ cannot do the recipe mixed-4-6"),
        (DENSE, "awq", "mxfp4", UsageError, "AWQ has nothing to learn with the recipe mxfp4"),
    ],
)
def test_what_a_method_cannot_do_is_refused_by_name(
    source: Path,
    method: Method,
    recipe: str,
    kind: type[Qwen3Error],
    message: str,
    text: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(kind, match=message):
        convert(source, tmp_path / "out", recipe, calibrate=text, method=method)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sums.txt"]


def test_gptq_leaves_no_matrix_whole(text: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text('"*.q_proj" = false\n"*" = { bits = 4 }\n', "utf-8")
    with pytest.raises(UsageError, match=r"own, which has model\.layers\.0\.self_attn\.q_proj"):
        convert(DENSE, tmp_path / "out", str(recipe), calibrate=text, method="gptq")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "missing"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"1" * (2**25 + 1), "is larger than"),
        (b"What is 1+1?", "too short to learn from: it has [0-9]+ tokens"),
    ],
)
def test_a_text_that_is_of_no_use_is_refused(
    data: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        convert(DENSE, tmp_path / "out", calibrate=path, method="dwq")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 2 is not JSON"), ("[]", "line 2 has no text"), ('{"text": 1}', "line 2 has no")],
)
def test_lines_are_json_objects_with_a_text(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    path.write_text('{"text": "one"}\n' + line, "utf-8")
    with pytest.raises(UsageError, match=message):
        find_calibration(path, "dwq")
    path.write_text('{"text": "one"}\n\n{"text": "two", "id": 2}\n', "utf-8")
    found = find_calibration(path, "dwq")
    assert found is not None
    assert found.documents == ("one", "two")


def test_a_method_and_a_text_go_together(text: Path) -> None:
    assert find_calibration(None, None) is None
    with pytest.raises(UsageError, match="method needs calibrate"):
        find_calibration(None, "dwq")
    with pytest.raises(UsageError, match="calibrate needs method"):
        find_calibration(text, None)
    with pytest.raises(UsageError, match="no method 'magic'"):
        find_calibration(text, "magic")
    with pytest.raises(UsageError, match="whole source"):
        find_calibration(text, "dwq", keeps_source=False)


def test_samples_come_from_all_over_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 samples of two ids, 12 and of them every third is held out."""
    monkeypatch.setattr(calibrate, "MOST_SAMPLES", {"dwq": 8})
    documents = (" ".join(map(str, range(7))), " ".join(map(str, range(7, 41))))
    found = calibrate.Calibration("dwq", "", "", documents)
    samples = found.samples(lambda text: [int(word) for word in str(text).split()], 2)
    chosen = [i * 20 // 12 for i in range(12)]
    assert samples.held == [[2 * i, 2 * i + 1] for i in chosen[::3]]
    assert samples.learned == [[2 * i, 2 * i + 1] for i in chosen if i not in chosen[::3]]


def test_mlx_lm_is_imported_only_to_learn() -> None:
    code = "import sys, qwen3_mlx.convert; print(*{'mlx_lm', 'transformers'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


def test_what_does_not_fit_into_memory_is_refused(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "machine_memory", lambda: 10**6)
    with pytest.raises(ModelTooLargeError, match=r"takes .* of memory at least"):
        convert(DENSE, tmp_path / "out", calibrate=text, method="dwq")


def fails(learner: Learner, lesson: Lesson) -> Network:
    raise RuntimeError("[Cholesky::eval_cpu] factorization failed")


def learns_nan(learner: Learner, lesson: Lesson) -> Network:
    network = rounded_plainly(learner, lesson)
    network.model.embed_tokens.scales *= mx.array(float("nan"))
    return network


def forgets_to_round(learner: Learner, lesson: Lesson) -> Network:
    return lesson.build(set())


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (fails, r"mlx-lm's GPTQ failed: \[Cholesky"),
        (learns_nan, r"GPTQ learned NaN or infinite numbers for model\.embed_tokens\.scales"),
        (forgets_to_round, r"mlx-lm's GPTQ gave no model\."),
    ],
)
def test_what_mlx_lm_gets_wrong_is_not_written(
    run: Callable[[Learner, Lesson], Network],
    message: str,
    small: Path,
    text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LEARNERS["gptq"], "run", run)
    with pytest.raises(ConversionError, match=message):
        convert(small, tmp_path / "out", calibrate=text, method="gptq")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small", "sums.txt"]
