"""`prune`: what reaches the library, and what a person sees of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import qwen3_mlx.cli.prune as command
from qwen3_mlx.convert import Progress, Pruning
from qwen3_mlx.convert.prune_choice import choose
from qwen3_mlx.convert.routing import LayerRouting, Routing
from qwen3_mlx.convert.texts import TextFile
from tests.cli.conftest import Invoke

# Eight tokens, two experts each: loads 8, 4, 3 and 1; scores 1, 0.5, 2 and 0.5.
TOGETHER = ((8, 4, 3, 1), (4, 4, 0, 0), (3, 0, 3, 0), (1, 0, 0, 1))
ROUTING = Routing(4, 2, 8, (LayerRouting(1, 8, TOGETHER, (8.0, 2.0, 6.0, 0.5)),))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What a pruning of our own was called with; it keeps two of four experts by REAP."""
    seen: list[dict[str, object]] = []

    def prune(
        source: Path,
        destination: Path,
        *,
        progress: Callable[[Progress], None],
        fetched: Callable[[str, int, int], None],
        note: Callable[[str], None],
        **wishes: object,
    ) -> Pruning:
        seen.append({"source": source, "destination": destination, **wishes})
        progress(Progress(100, 100, "calibrating"))
        note("the text is short")
        progress(Progress(100, 100, "pruning"))
        text = TextFile("text.txt", "", ())
        layers = choose(ROUTING, 2, "reap")
        return Pruning(Path("/models") / destination, "reap", text, ROUTING, layers)

    monkeypatch.setattr(command, "prune", prune)
    return seen


@pytest.mark.usefixtures("calls")
def test_the_result_is_on_stdout_and_the_rest_on_stderr(invoke: Invoke) -> None:
    """Experts 0 and 2 stay: 3 of 4 of the scores, 11 of 16 of the load; 8 is twice 4."""
    result = invoke("prune", "a", "my b", "--keep", "2", "--calibrate", "text.txt")
    assert result.stdout == "/models/my b\n"
    assert result.stderr.splitlines() == [
        "[calibrating 100 %]",
        "[note: the text is short]",
        "[pruning 100 %]",
        "layer  scores kept  load kept  busiest before  unused before",
        "1      75.0%        68.8%      2.0 x even      0 of 4",
        "[which experts stayed, and all scores: /models/my b/pruning.json]",
        "[talk to it: qwen3-mlx chat -m '/models/my b']",
    ]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("args", "wishes"),
    [
        ([], {}),
        (["--method", "frequency"], {"method": "frequency"}),
        (["--force"], {"force": True}),
    ],
)
def test_options_reach_the_library(
    invoke: Invoke, calls: list[dict[str, object]], args: list[str], wishes: dict[str, object]
) -> None:
    invoke("prune", "a", "b", "--keep", "96", "--calibrate", "t", *args)
    plain = {"keep": 96, "calibrate": Path("t"), "method": "reap", "force": False}
    assert calls == [{"source": Path("a"), "destination": Path("b"), **plain, **wishes}]


@pytest.mark.usefixtures("calls")
def test_json_has_every_layer(invoke: Invoke) -> None:
    result = invoke("prune", "a", "b", "--keep", "2", "--calibrate", "t", "--json")
    assert json.loads(result.stdout) == {
        "destination": "/models/b",
        "method": "reap",
        "tokens": 8,
        "layers": [
            {
                "layer": 1,
                "kept": [0, 2],
                "kept_score": 0.75,
                "kept_load": 0.6875,
                "scores": [1, 0.5, 2, 0.5],
                "load": [8, 4, 3, 1],
            }
        ],
    }


def test_an_interrupted_pruning_says_what_is_kept(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / ".out.partial"

    def interrupted(*_args: object, **_wishes: object) -> None:
        kept.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "prune", interrupted)
    result = invoke("prune", "a", str(tmp_path / "out"), "--keep", "2", "--calibrate", "t")
    assert result.stderr == (
        f"[stopped; what is finished is kept in {kept}, and the same command goes on]\n"
    )
    assert result.exit_code == 130


@pytest.mark.parametrize("missing", ["--keep", "--calibrate"])
def test_what_must_be_given(invoke: Invoke, missing: str) -> None:
    options = {"--keep": "2", "--calibrate": "t"}
    del options[missing]
    result = invoke("prune", "a", "b", *(word for pair in options.items() for word in pair))
    assert result.exit_code == 2
    assert missing in result.stderr


def test_what_cannot_be_kept_is_a_message(invoke: Invoke, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("1 + 1 is 2.")
    result = invoke("prune", "tiny", str(tmp_path / "b"), "--keep", "7", "--calibrate", str(text))
    assert (result.stdout, result.exit_code) == ("", 2)
    assert result.stderr == (
        "Error: 7 experts of a layer cannot stay: each token goes through 8 of its 128\n"
        "Keep 8 to 128.\n"
    )
