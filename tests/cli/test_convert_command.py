"""`convert`: what reaches the converter, and what a person sees of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import qwen3_mlx.cli.convert as command
import qwen3_mlx.cli.verify as verify_command
from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.convert import Outlook, Progress, Verification
from qwen3_mlx.convert.check import Check
from qwen3_mlx.convert.kinds import Kind
from qwen3_mlx.convert.outputs import Outputs
from qwen3_mlx.errors import ConversionError
from tests.cli.conftest import Invoke


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What a converter of our own was called with."""
    seen: list[dict[str, object]] = []

    def convert(
        source: Path,
        destination: Path,
        recipe: str,
        *,
        progress: Callable[[Progress], None],
        fetched: Callable[[str, int, int], None],
        note: Callable[[str], None],
        **wishes: object,
    ) -> Path:
        seen.append({"source": source, "destination": destination, "recipe": recipe, **wishes})
        if wishes["delete_source"]:
            fetched("part-1", 100, 100)
        for done in (25, 50, 100):
            progress(Progress(done, 100))
        note("it is rounded twice")
        return Path("/models") / destination

    found = {"tensors": 57, "error": 0.0919, "worst_group": 0.85, "kl": 0.0655}
    monkeypatch.setattr(command, "convert", convert)
    monkeypatch.setattr(command, "read_manifest", lambda folder: {"found": found})
    return seen


def test_the_result_is_on_stdout_and_the_way_there_on_stderr(
    invoke: Invoke, calls: list[dict[str, object]]
) -> None:
    result = invoke("convert", "Qwen3-8B", "my 8b")
    assert result.stdout == "/models/my 8b\n"
    assert result.stderr == (
        "[converting 20 %]\n[converting 50 %]\n[converting 100 %]\n"
        "[note: it is rounded twice]\n"
        "[compared with the source: 57 tensors are what they ought to be, "
        "the largest error is 9.2%, KL 0.0655 nats a token]\n"
        "[talk to it: qwen3-mlx chat -m '/models/my 8b']\n"
    )
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("args", "wishes"),
    [
        ([], {}),
        (["--recipe", "8bit", "--group-size", "32"], {"recipe": "8bit", "group_size": 32}),
        (["--force", "--no-verify"], {"force": True, "verify": False}),
        (["--delete-source"], {"delete_source": True}),
        (
            ["--calibrate", "text", "--method", "dwq"],
            {"calibrate": Path("text"), "method": "dwq"},
        ),
    ],
)
def test_options_reach_the_converter(
    invoke: Invoke, calls: list[dict[str, object]], args: list[str], wishes: dict[str, object]
) -> None:
    invoke("convert", "a", "b", *args)
    plain = {
        "recipe": "4bit",
        "group_size": None,
        "force": False,
        "verify": True,
        "delete_source": False,
        "calibrate": None,
        "method": None,
    }
    assert calls == [{"source": Path("a"), "destination": Path("b"), **plain, **wishes}]


def test_files_that_are_fetched_are_named(invoke: Invoke, calls: list[dict[str, object]]) -> None:
    result = invoke("convert", "Qwen/Qwen3-8B", "b", "--delete-source")
    assert result.stderr.startswith("[fetching part-1 100 %]\n[converting 20 %]\n")


def test_json_names_the_result(invoke: Invoke, calls: list[dict[str, object]]) -> None:
    result = invoke("convert", "Qwen3-8B", "b", "--json")
    assert json.loads(result.stdout) == {
        "destination": "/models/b",
        "recipe": "4bit",
        "found": {"tensors": 57, "error": 0.0919, "worst_group": 0.85, "kl": 0.0655},
    }


def test_an_interrupted_conversion_says_what_is_kept(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / ".out.partial"

    def interrupted(*args: object, **wishes: object) -> Path:
        kept.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "convert", interrupted)
    result = invoke("convert", "Qwen3-8B", str(tmp_path / "out"))
    assert result.stderr == (
        f"[stopped; what is finished is kept in {kept}, and the same command goes on]\n"
    )
    assert result.exit_code == 130


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of two kinds of tensor that is never carried out."""
    kinds = (
        Kind("self_attn.q_proj", (128, 96), "4 bits by 32", ("a", "b"), 2_000_000),
        Kind("model.norm", (128,), "bfloat16", ("c",), 1_000_000),
    )
    found = Outlook(kinds, ("q: smaller groups",), 3_000_000, 4.25, 2**28, {8192: 8, 32768: None})
    monkeypatch.setattr(command, "outlook", lambda *args, **wishes: found)


@pytest.mark.usefixtures("planned")
def test_a_dry_run_prints_the_plan(invoke: Invoke) -> None:
    result = invoke("convert", "a", "b", "--dry-run")
    assert result.stdout.splitlines() == [
        "tensors           number  shape     format        size",
        "self_attn.q_proj  2       128 x 96  4 bits by 32  2.0 MB",
        "model.norm        1       128       bfloat16      1.0 MB",
        "",
        "weights       3.0 MB, 4.25 bits a weight",
        "peak memory   0.3 GB at most, to convert",
        "8K context    fits on a Mac with 8 GB",
        "32K context   fits on no Mac",
        "note: q: smaller groups",
    ]


@pytest.mark.usefixtures("planned")
def test_a_dry_run_in_json(invoke: Invoke) -> None:
    found = json.loads(invoke("convert", "a", "b", "--dry-run", "--json").stdout)
    assert found["total_bytes"] == 3_000_000
    assert found["tensors"][0]["count"] == 2
    assert found["smallest_mac_gb"] == {"8192": 8, "32768": None}


def test_verify_prints_a_table(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = (
        Check("model.layers.0.mlp.gate.weight", True, 0.001, 0.5, (3, 1)),
        Check("model.layers.1.mlp.gate.weight", False, 0.002, 0.75, (4, 0)),
    )
    found = Verification(checks, Outputs(0.0125, 0.96, 157))
    monkeypatch.setattr(verify_command, "verify", lambda *args, **wishes: found)
    result = invoke("verify", "a", "b")
    where = "model.layers.1.mlp.gate.weight row 4 group 0"
    assert result.stdout.splitlines() == [
        "tensors   number  exact  error   worst group  where",
        f"mlp.gate  2       1      0.200%  0.75 of 1    {where}",
        "",
        "KL 0.0125 nats a token over 157 tokens; 96% of the likeliest tokens are the same",
    ]
    assert json.loads(invoke("verify", "a", "b", "--json").stdout)["outputs"]["tokens"] == 157


def test_verify_compares_a_model_with_its_record(invoke: Invoke) -> None:
    files = sorted(path for path in bundled_path("tiny").iterdir() if path.stem != "conversion")
    files = [path for path in files if path.name not in {"README.md", "LICENSE"}]
    nbytes = sum(path.stat().st_size for path in files)
    result = invoke("verify", "tiny")
    assert result.stdout == (
        f"{len(files)} files, {nbytes:,} bytes: each as conversion.json records it\n"
    )
    assert result.stderr.endswith("[reading 100 %]\n")
    assert json.loads(invoke("verify", "tiny", "--json").stdout) == {
        "files": [path.name for path in files],
        "nbytes": nbytes,
        "known_by": "conversion.json",
    }


@pytest.mark.parametrize("command", [["convert"], ["prune", "--keep", "96", "--calibrate"]])
def test_what_exists_is_replaced_by_the_flag(
    invoke: Invoke, tmp_path: Path, command: list[str]
) -> None:
    destination, text = tmp_path / "force", tmp_path / "text"
    destination.mkdir()
    text.write_text("Two and three are five. " * 100)
    result = invoke(*command, *[str(text)] * (command != ["convert"]), "tiny", str(destination))
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: the destination {destination} exists\n"
        "Choose another one, or replace it with --force.\n"
    )


def test_verify_says_where_nothing_is_recorded(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    result = invoke("verify", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.endswith("what it was made of: qwen3-mlx verify SRC DST\n")


@pytest.mark.parametrize(("source", "destination"), [("mlx", "plain"), ("plain", "mlx")])
def test_verify_says_that_the_two_may_be_swapped(
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: str,
    destination: str,
) -> None:
    def fail(*_args: object, **_wishes: object) -> None:
        raise ConversionError("tensors differ", hint="Convert again.")

    monkeypatch.setattr(verify_command, "verify", fail)
    for folder in ("mlx", "plain"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mlx" / "conversion.json").write_text("{}")
    result = invoke("verify", str(tmp_path / source), str(tmp_path / destination))
    swapped = "SRC and DST may be swapped: SRC is what DST was made of."
    hint = swapped if source == "mlx" else "Convert again."
    assert result.stderr == f"Error: tensors differ\n{hint}\n"


def test_a_full_disk_is_a_message(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_wishes: object) -> None:
        raise ConversionError("/models/b: no space is left", hint="Free some, and try again.")

    monkeypatch.setattr(command, "convert", full)
    result = invoke("convert", "a", "b")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == "Error: /models/b: no space is left\nFree some, and try again.\n"


def test_a_source_that_is_not_there(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("convert", str(tmp_path / "nowhere"), str(tmp_path / "b"))
    assert result.exit_code == 3
    assert "nowhere" in result.stderr
    assert not (tmp_path / "b").exists()


def test_an_unknown_recipe(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("convert", str(tmp_path), str(tmp_path / "b"), "--recipe", "5bit")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: there is no recipe '5bit'\n"
        "Recipes: bf16, 8bit, 4bit, mxfp4, mixed-4-6, mixed-4-8, or a file that ends in .toml.\n"
    )
