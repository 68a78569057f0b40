"""`curve`: whole pages, files, interruptions and refusals, of replies that are known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import qwen3_mlx
from qwen3_mlx.cli import curve as command
from qwen3_mlx.cli.curve_page import charts, page
from qwen3_mlx.cli.heatmap import CHARACTERS, Line
from qwen3_mlx.errors import ModelTooLargeError, NonFiniteError, Qwen3Error
from qwen3_mlx.evaluation import curve as evaluation
from qwen3_mlx.evaluation.curve import Budget, Record
from qwen3_mlx.evaluation.saved import Curve, read_curve
from qwen3_mlx.evaluation.setup import Setup
from qwen3_mlx.evaluation.task import Task, digest
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM


@dataclass
class Played:
    """Stands in for `evaluation.run`: a task is right with as many thoughts as it needs.

    Attributes:
        trouble: What happens after so many tasks.
        asked: The ids of the tasks of each run.
        arguments: Of the last run.
    """

    trouble: tuple[int, BaseException] | None = None
    asked: list[list[str]] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, llm: object, tasks: Sequence[Task], budgets: Sequence[Budget], **arguments: Any
    ) -> Iterator[tuple[Record, ...]]:
        self.asked.append([task.id for task in tasks])
        self.arguments = arguments
        for number, task in enumerate(tasks):
            if self.trouble and number == self.trouble[0]:
                raise self.trouble[1]
            yield tuple(played(task, budget) for budget in budgets)


def played(task: Task, budget: Budget) -> Record:
    """A task needs as many thoughts as its answer says."""
    needed = int(task.answers[0])
    used = needed if budget is None else min(needed, budget)
    cut = budget is not None and 0 < budget <= needed
    return Record(
        id=task.id,
        category=task.category,
        budget=budget,
        right=used >= needed,
        answer=str(used),
        thinking_tokens=used,
        answer_tokens=5,
        stop_thinking="budget" if cut else "natural" if used else "off",
        finish_reason="stop",
        seconds=2.0 if budget is None else 1.0 if budget else 0.5,
    )


def setup_of(
    llm: FakeLLM, name: str, tasks: Sequence[Task], budgets: Sequence[Budget], **arguments: Any
) -> Setup:
    thinking = {"temperature": arguments.get("temp", 0.0)}
    given = arguments.get("system"), arguments.get("max_tokens")
    count = len(tasks)
    return Setup(
        llm.name, "id", name, digest(tasks), count, tuple(budgets), *given, 4096, thinking, {}
    )


@pytest.fixture(autouse=True)
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, llm: FakeLLM) -> Played:
    play = Played()
    monkeypatch.setattr(evaluation, "run", play)
    monkeypatch.setattr(command, "make_setup", setup_of)
    monkeypatch.chdir(tmp_path)
    return play


NEEDED = {"a": 0, "b": 64, "c": 64, "d": 140}


@pytest.fixture
def mine() -> Path:
    """Four tasks that need 0, 64, 64 and 140 tokens of thought."""
    path = Path("mine.jsonl")
    write(path, [{"id": name, "prompt": "?", "answer": need} for name, need in NEEDED.items()])
    return path


def write(path: Path, tasks: Sequence[dict[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(task)}\n" for task in tasks))


ASKED = ("curve", "mine.jsonl", "--budgets", "0,64,none")


def test_the_whole_page(invoke: Invoke, mine: Path) -> None:
    """Within 64 the thoughts are 0, 64, 64 and 64: 48 in the mean, and three of them are cut."""
    result = invoke(*ASKED)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "tiny: 4 tasks of mine, greedy.",
        "budget  right           95 %         thinking  stopped  seconds",
        "     0  1 of 4, 25.0%   4.6-69.9%    0.0       0%       0.5 s",
        "    64  3 of 4, 75.0%   30.1-95.4%   48.0      75%      1 s",
        "  none  4 of 4, 100.0%  51.0-100.0%  67.0      0%       2 s",
        "",
        "right: of the answers, with Wilson's interval. thinking: tokens used, the mean.",
        "stopped: by the budget. seconds: of one reply, the mean.",
        "",
        "right answers, by budget",
        "     0  +++[------------o-----------------------------] 25%",
        "    64  ++++++++++++++++++++[-----------------------------o------------] 75%",
        "  none  ++++++++++++++++++++++++++++++++++[-------------------------------o 100%",
    ]


def test_progress_says_what_is_done(invoke: Invoke, mine: Path) -> None:
    lines = invoke(*ASKED).stderr.splitlines()
    tenths = [line.split(",")[0].strip("[]") for line in lines[:4]]
    assert tenths == ["asking 20 %", "asking 50 %", "asking 70 %", "asking 100 %"]
    assert lines[0].endswith(" s left]")
    assert lines[4:] == ["[the curve is in curve-tiny-mine.json]"]


def test_the_curve_is_saved_and_not_measured_again(
    invoke: Invoke, mine: Path, play: Played
) -> None:
    first = invoke(*ASKED)
    saved = read_curve(Path("curve-tiny-mine.json"))
    assert [record.id for record in saved.records] == [*"aaabbbcccddd"]
    assert sorted(path.name for path in Path().iterdir()) == ["curve-tiny-mine.json", "mine.jsonl"]
    again = invoke(*ASKED)
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert "this was measured before: curve-tiny-mine.json" in again.stderr
    assert play.asked == [[*"abcd"]]


def test_an_interrupted_run_goes_on(invoke: Invoke, mine: Path, play: Played) -> None:
    whole = invoke(*ASKED, "--out", "whole.json")
    play.trouble = 3, KeyboardInterrupt()
    stopped = invoke(*ASKED)
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    assert stopped.stderr.splitlines()[-1] == (
        "[stopped after 3 of 4 tasks; they are kept in curve-tiny-mine.json.partial, and the same"
        " command goes on]"
    )
    play.trouble = None
    rest = invoke(*ASKED)
    assert (rest.exit_code, rest.stdout) == (0, whole.stdout)
    assert rest.stderr.splitlines()[0] == "[3 of 4 tasks were done before]"
    assert play.asked[1:] == [[*"abcd"], ["d"]]
    assert Path("curve-tiny-mine.json").read_text() == Path("whole.json").read_text()
    assert not Path("curve-tiny-mine.json.partial").exists()


def test_an_error_keeps_what_is_done_too(invoke: Invoke, mine: Path, play: Played) -> None:
    play.trouble = 2, NonFiniteError("not finite")
    assert invoke(*ASKED).exit_code == 5
    play.trouble = None
    assert invoke(*ASKED).exit_code == 0
    assert play.asked == [[*"abcd"], [*"cd"]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--budgets", "0,none"), "the budgets differ"),
        (("--temp", "1"), "the sampling of thoughts differ"),
        (("--system", "x", "--max-tokens", "90"), "the system prompt, max_tokens differ"),
    ],
)
def test_what_is_there_of_another_curve_is_left_alone(
    invoke: Invoke, mine: Path, play: Played, change: tuple[str, ...], said: str
) -> None:
    """First the part that is done, then the whole."""
    play.trouble = 1, KeyboardInterrupt()
    invoke(*ASKED)
    play.trouble = None
    for name in ("curve-tiny-mine.json.partial", "curve-tiny-mine.json"):
        before = Path(name).read_bytes()
        result = invoke(*ASKED, *change)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{name} is of another curve: {said}" in " ".join(result.stderr.split())
        assert Path(name).read_bytes() == before
        invoke(*ASKED)


def test_json_has_the_setup_and_the_figures(invoke: Invoke, mine: Path) -> None:
    data = json.loads(invoke(*ASKED, "--json").stdout)
    assert [*data] == ["format", "setup", "complete", "figures", "categories"]
    assert [each["budget"] for each in data["figures"]] == [0, 64, None]
    assert data["figures"][1]["right"] == 3
    assert (data["complete"], data["categories"]) == (True, {})


def test_curves_are_drawn_together(invoke: Invoke, mine: Path, llm: FakeLLM) -> None:
    invoke(*ASKED)
    llm.name = "models/other"
    invoke("curve", "mine.jsonl", "--budgets", "64,128")
    files = ("curve-tiny-mine.json", "curve-other-mine.json")
    result = invoke("curve", "--draw", *files, "--svg", "both.svg")
    assert result.exit_code == 0
    assert [line[:22] for line in result.stdout.splitlines()[-5:]] == [
        "     0  tiny          ",
        "    64  tiny          ",
        "        models/other  ",
        "   128  models/other  ",
        "  none  tiny          ",
    ]
    drawn = ElementTree.XML(Path("both.svg").read_text())
    texts = [element.text for element in drawn.iter() if element.tag.endswith("}text")]
    assert texts.count("tiny") == texts.count("models/other") == 2
    assert "4 tasks of mine: right answers" in texts
    assert [text for text in texts if text in ("0", "64", "128", "none")][-4:] == [
        *("0", "64", "128", "none")
    ]
    data = json.loads(invoke("curve", "--draw", *files, "--json").stdout)
    assert [each["setup"]["model"] for each in data] == ["tiny", "models/other"]


def test_the_chart_has_an_interval_for_each_point(invoke: Invoke, mine: Path) -> None:
    invoke(*ASKED)
    right, thinking = charts([read_curve(Path("curve-tiny-mine.json"))])
    (series,) = right.series
    assert series.points == [(0, 25), (1, 75), (2, 100)]
    assert len(series.intervals) == 3
    assert right.places == ["0", "64", "none"]
    assert thinking.series[0].points == [(0, 0), (1, 48), (2, 67)]


def test_categories_have_a_table_of_their_own(invoke: Invoke) -> None:
    tasks: list[dict[str, object]] = [
        {"id": name, "prompt": "?", "answer": need, "category": "easy" if need < 65 else "hard"}
        for name, need in NEEDED.items()
    ]
    write(Path("mine.jsonl"), tasks)
    lines = invoke(*ASKED).stdout.splitlines()
    assert lines[6:9] == [
        "right, by category     0    64  none",
        "easy (3)             33%  100%  100%",
        "hard (1)              0%    0%  100%",
    ]


BAD = '{"prompt": "?"}\n{"prompt": "?", "answer": 5}\nnothing\n'


def test_bad_lines_are_refused_or_skipped(invoke: Invoke, play: Played) -> None:
    Path("bad.jsonl").write_text(BAD)
    result = invoke("curve", "bad.jsonl")
    assert (result.exit_code, result.stdout, play.asked) == (2, "", [])
    said = " ".join(result.stderr.split())
    assert "2 lines are no task: line 1: the field answer is missing; line 3: it is not" in said
    assert "--skip-bad" in said
    result = invoke("curve", "bad.jsonl", "--skip-bad")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[:2] == [
        "[skipped line 1: the field answer is missing]",
        "[skipped line 3: it is not JSON: Expecting value at column 1]",
    ]
    assert play.asked == [["2"]]


def test_many_bad_lines_are_skipped_in_few_words(invoke: Invoke) -> None:
    Path("bad.jsonl").write_text("x\n" * 30 + BAD)
    lines = invoke("curve", "bad.jsonl", "--skip-bad").stderr.splitlines()
    assert lines[10] == "[skipped 22 lines more]"
    Path("bad.jsonl").write_text("x\n")
    assert "holds no task" in invoke("curve", "bad.jsonl", "--skip-bad").stderr


def test_lines_that_call_themselves_wrong_are_left_out(invoke: Invoke, play: Played) -> None:
    """Their number is said; of the answers that are letters nothing else is asked here."""
    fields = {"question": "?", "choices": ["1", "2"], "answer": 1}
    write(Path("m.jsonl"), [fields | {"error_type": "bad_options_clarity"}, fields])
    play.trouble = 0, Qwen3Error("enough")
    result = invoke("curve", "m.jsonl")
    assert result.stderr.splitlines()[0].startswith("[1 line is left out: the file says that")
    assert play.asked == [["2"]]


def test_what_is_asked_is_passed_on(invoke: Invoke, mine: Path, play: Played, llm: FakeLLM) -> None:
    result = invoke(
        *("curve", "mine.jsonl", "-m", "8b", "--limit", "2", "--batch", "3", "--offline"),
        *("--temp", "0.6", "--top-k", "20", "--seed", "4", "--system", "Be brief."),
        *("--max-tokens", "900", "--format", "tasks"),
    )
    assert result.exit_code == 0
    assert play.asked == [["a", "b"]]
    assert play.arguments == {
        "batch_size": 3,
        "temp": 0.6,
        "top_k": 20,
        "seed": 4,
        "system": "Be brief.",
        "max_tokens": 900,
    }
    assert (llm.loaded["name"], llm.loaded["offline"]) == ("8b", True)
    assert (llm.loaded["draft"], llm.loaded["save_cache"]) == (None, False)
    assert Path("curve-tiny-mine-2.json").exists()
    assert "sampled" in result.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("kind", "budgets"),
    [("bundled", command.BUNDLED_BUDGETS), ("cache", command.BUDGETS)],
)
def test_the_usual_budgets_are_those_of_the_model_s_size(
    invoke: Invoke, mine: Path, llm: FakeLLM, kind: str, budgets: Sequence[Budget]
) -> None:
    llm.source.kind = kind
    invoke("curve", "mine.jsonl")
    assert read_curve(Path("curve-tiny-mine.json")).setup.budgets == tuple(budgets)


def test_demo_is_bundled(invoke: Invoke, play: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    play.trouble = 0, Qwen3Error("enough")
    Path("demo").write_text("nothing")
    invoke("curve", "demo", "--limit", "1")
    assert play.asked == [["sum-1"]]
    assert "no task" in invoke("curve", "./demo").stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("none.jsonl",), "there is no file none.jsonl"),
        (("mine.jsonl", "other.jsonl"), "there are 2 files of tasks"),
        (("mine.jsonl", "--budgets", "8,few"), "'few' is no thinking budget"),
        (("mine.jsonl", "--budgets", "8,auto"), "'auto' is no budget of a curve"),
        (("mine.jsonl", "--budgets", "8,08"), "a budget is there twice"),
        (("mine.jsonl", "--budgets", ""), "'' is no thinking budget"),
        (("mine.jsonl", "--limit", "0"), "Invalid value for '--limit'"),
        (("mine.jsonl", "--batch", "0"), "Invalid value for '--batch'"),
        (("mine.jsonl", "--format", "csv"), "Invalid value for '--format'"),
        (("mine.jsonl", "--format", "gsm8k"), "4 lines are no task: line 1"),
        (("mine.jsonl", "--svg", "/nowhere/b.svg"), "/nowhere/b.svg cannot be written"),
        (("mine.jsonl", "--out", "."), ". cannot be written"),
        (("mine.jsonl", "--calibrate"), "4 tasks are too few for a calibration"),
        (("mine.jsonl", "--calibrate", "--limit", "1"), "1 task is too few for a calibration"),
        (("--draw", "mine.jsonl"), "mine.jsonl is no curve that this version can read"),
        (("--draw", "none.json"), "there is no file none.json"),
        ((), "Missing argument"),
    ],
)
def test_what_makes_no_sense_is_refused(
    invoke: Invoke, mine: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], said: str
) -> None:
    """Before a model is loaded."""
    monkeypatch.setitem(vars(qwen3_mlx), "load", None)
    result = invoke("curve", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_flags_are_named_as_flags(invoke: Invoke, mine: Path, play: Played) -> None:
    play.trouble = 0, ModelTooLargeError("so much", hint="Use a batch_size of 1, or max_tokens.")
    result = invoke(*ASKED)
    assert result.exit_code == 4
    assert "Use a --batch of 1, or --max-tokens." in result.stderr


def test_names_of_strangers_do_no_harm(invoke: Invoke, llm: FakeLLM) -> None:
    llm.name = "a/b\x1b[2J c"
    tasks = [{"prompt": "?", "answer": 5, "category": f"\x1b[2J{n}"} for n in range(2)]
    write(Path("t\x1b[2J.jsonl"), tasks)
    result = invoke("curve", "t\x1b[2J.jsonl")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert [path.name for path in Path().glob("curve*")] == ["curve-b-2J-c-t-2J.json"]


def plain(line: Line) -> str:
    return "".join(part if isinstance(part, str) else CHARACTERS[part] for part in line)


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_a_page_is_as_wide_as_its_screen(invoke: Invoke, mine: Path, width: int) -> None:
    invoke(*ASKED)
    found = read_curve(Path("curve-tiny-mine.json"))
    two = Curve(replace(found.setup, model="x" * 5), found.records)
    for curves in ([found], [found, two]):
        assert max(len(plain(line)) for line in page(curves, width)) <= width
