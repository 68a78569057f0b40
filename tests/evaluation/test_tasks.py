"""Files of tasks: every format, and every way in which a line can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen3_mlx.cli.choices import TaskFormat
from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation import lines, tasks
from qwen3_mlx.evaluation.readers import BOXED, LETTER, Form
from qwen3_mlx.evaluation.task import Compare, Task, digest
from qwen3_mlx.evaluation.tasks import BUNDLED, parse_tasks, read_tasks, task_path

CHOICES = ["Rome", "Paris", "Oslo", "Bern"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.jsonl"


def write(path: Path, *fields: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in fields))
    return path


def read_one(path: Path, form: Form | None = None, **fields: Any) -> Task:
    (task,) = read_tasks(write(path, fields), form)
    return task


def refused(path: Path, form: Form | None = None, **fields: Any) -> str:
    """Why a line is no task."""
    (bad,) = parse_tasks(write(path, fields), form).bad
    return bad.why


def test_our_own_format(path: Path) -> None:
    plain = {"prompt": "2 + 3 = ?", "answer": 5, "compare": "number"}
    full = {"prompt": "Say it.", "answer": ["a", "b"], "id": "x", "category": "c", "more": None}
    assert read_tasks(write(path, plain, full)) == (
        Task("1", "2 + 3 = ?", ("5",), Compare.NUMBER),
        Task("x", "Say it.", ("a", "b"), Compare.EXACT, "c"),
    )


@pytest.mark.parametrize("answer", ["B", "(B)", "Paris"])
def test_choices_are_put_under_the_prompt_with_their_letters(path: Path, answer: str) -> None:
    task = read_one(path, prompt="Where?", answer=answer, choices=CHOICES[:3])
    assert task.prompt == "Where?\nA. Rome\nB. Paris\nC. Oslo"
    assert (task.answers, task.compare, task.letters) == (("B",), Compare.CHOICE, 3)


def test_a_prompt_may_have_its_choices_in_it(path: Path) -> None:
    task = read_one(path, prompt="A. 1\nB. 2", answer="B", compare="choice")
    assert (task.prompt, task.answers, task.letters) == ("A. 1\nB. 2", ("B",), 4)


def test_gsm8k(path: Path) -> None:
    task = read_one(path, question="How many?", answer="48/2 = <<48/2=24>>24\n#### 1,072")
    assert task == Task("1", f"How many?\n\n{BOXED}", ("1,072",), Compare.NUMBER)
    assert "####" in refused(path, question="How many?", answer="72")
    assert "no number" in refused(path, question="How many?", answer="#### many")


def mmlu(**fields: Any) -> dict[str, Any]:
    return {"question": "Capital?", "choices": CHOICES, "answer": 1, **fields}


def test_mmlu_redux(path: Path) -> None:
    task = read_one(path, **mmlu(error_type="ok", subject="geography"))
    prompt = f"Capital?\nA. Rome\nB. Paris\nC. Oslo\nD. Bern\n\n{LETTER}"
    assert task == Task("1", prompt, ("B",), Compare.CHOICE, "geography", 4)


@pytest.mark.parametrize("corrected", ["D", "d", 3, "3", "Bern"])
def test_a_label_that_was_put_right_counts(path: Path, corrected: object) -> None:
    task = read_one(path, **mmlu(error_type="wrong_groundtruth", correct_answer=corrected))
    assert task.answers == ("D",)


@pytest.mark.parametrize("corrected", [None, "", "Berlin", "A or B", 7, "9", True])
def test_a_wrong_label_that_was_not_is_left_out(path: Path, corrected: object) -> None:
    bad = mmlu(error_type="bad_question_clarity", correct_answer=corrected)
    file = parse_tasks(write(path, bad, mmlu()))
    assert (len(file.tasks), file.bad, file.left_out) == (1, (), 1)


@pytest.mark.parametrize("place", [4, -1, "B", None, True])
def test_the_right_choice_must_be_one(path: Path, place: object) -> None:
    assert "place of one of the choices" in refused(path, **mmlu(answer=place))


def test_math_500(path: Path) -> None:
    fields: dict[str, Any] = {
        "problem": "Half?",
        "answer": "\\frac{1}{2}",
        "subject": "Algebra",
        "level": 1,
    }
    task = read_one(path, **fields, unique_id="test/a/1.json")
    assert task == Task(
        "test/a/1.json", f"Half?\n\n{BOXED}", ("\\frac{1}{2}",), Compare.MATH, "Algebra"
    )


def test_needles(path: Path) -> None:
    task = read_one(path, index=0, input="Hay and 7421. What number?", outputs=["7421", 99])
    assert task == Task("1", "Hay and 7421. What number?", ("7421", "99"), Compare.CONTAINS)


def test_a_format_can_be_forced(path: Path) -> None:
    fields: dict[str, Any] = {"prompt": "p", "answer": "a", "question": "q", "choices": CHOICES}
    assert read_one(path, **fields, id="x", compare="exact").prompt.startswith("p")
    assert "#### before" in refused(path, Form.GSM8K, **fields)


def test_the_command_line_knows_the_formats() -> None:
    assert [*map(str, TaskFormat)] == [*map(str, Form)]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"prompt": "p"}, "the field answer is missing"),
        ({"prompt": "p", "answer": None}, "the field answer is missing"),
        ({"answer": "a"}, "its fields are those of no known format: answer"),
        ({}, "its fields are those of no known format: none"),
        ({"prompt": 5, "answer": "a"}, "prompt is no text"),
        ({"prompt": " ", "answer": "a"}, "prompt is empty"),
        ({"prompt": "p\ud800", "answer": "a"}, "prompt holds half a character"),
        ({"prompt": "p", "answer": []}, "answer is empty"),
        ({"prompt": "p", "answer": {"a": 1}}, "answer is no text"),
        ({"prompt": "p", "answer": True}, "answer is no text"),
        ({"prompt": "p", "answer": "a", "compare": "guess"}, "compare is 'guess'; it must be one"),
        ({"prompt": "p", "answer": "a", "compare": "number"}, "answer is 'a', which is no number"),
        ({"prompt": "p", "answer": "(", "compare": "regex"}, "answer is no regular expression"),
        ({"prompt": "p", "answer": "E", "choices": CHOICES}, "neither the letter of a choice nor"),
        ({"prompt": "p", "answer": "A", "choices": "AB"}, "choices is no list of at most 26"),
        ({"prompt": "p", "answer": "A", "choices": ["x"] * 27}, "no list of at most 26"),
        ({"prompt": "p", "answer": "a", "id": 1.5}, "id is neither text nor a whole number"),
        ({"question": "q", "answer": "A", "choices": []}, "the field choices is missing or empty"),
    ],
)
def test_what_is_wrong_with_a_line(path: Path, fields: dict[str, Any], why: str) -> None:
    assert why in refused(path, **fields)


BAD = (
    b'{"prompt": "good", "answer": "1"}\r\n'
    b"\n"
    b'{"prompt": "caf\xe9", "answer": "1"}\n'
    b'{"prompt": "caf\xc3\xa9", "answer": "1"}\n'
    b'{"prompt": \n'
    b"[1]\n"
    b'{"prompt": "good", "answer": "1", "id": "1"}\n'
    b"7"
)


def test_bad_lines_are_told_together_by_their_numbers(path: Path) -> None:
    path.write_bytes(BAD)
    with pytest.raises(UsageError) as error:
        read_tasks(path)
    assert error.value.message == (
        f"{path}: 5 lines are no task: line 3: it is not UTF-8: byte 0xe9;"
        " line 5: it is not JSON: Expecting value at column 11; line 6: it is no JSON object;"
        " line 7: its id '1' is that of an earlier line; line 8: it is no JSON object"
    )
    assert "--skip-bad" in (error.value.hint or "")


def test_the_good_lines_are_kept_apart(path: Path) -> None:
    path.write_bytes(BAD)
    file = parse_tasks(path)
    assert [task.prompt for task in file.tasks] == ["good", "café"]
    assert [bad.number for bad in file.bad] == [3, 5, 6, 7, 8]


def test_no_more_than_ten_lines_are_told_one_by_one(path: Path) -> None:
    path.write_text("x\n" * 25)
    with pytest.raises(
        UsageError, match=r"25 lines are no task: line 1: .*line 10: .*and 15 more$"
    ):
        read_tasks(path)


def test_a_byte_order_mark_does_not_matter(path: Path) -> None:
    path.write_text('{"prompt": "p", "answer": "a"}', "utf-8-sig")
    assert len(read_tasks(path)) == 1


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_tasks(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError, match="holds no task"):
        read_tasks(path)


def test_files_that_cannot_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_tasks(path)
    with pytest.raises(UsageError, match="is a folder"):
        read_tasks(path.parent)
    path.write_text('{"prompt": "p"}', "utf-16")
    with pytest.raises(UsageError, match="is UTF-16"):
        read_tasks(path)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    path.write_text("x" * 11)
    with pytest.raises(UsageError, match="line 1 is longer"):
        read_tasks(path)


def test_json_that_is_too_deep_or_too_large_is_a_bad_line(path: Path) -> None:
    path.write_text("[" * 100_000 + "\n" + '{"prompt": ' + "9" * 5000 + "}")
    assert [bad.number for bad in parse_tasks(path).bad] == [1, 2]
    path.write_text('{"prompt": [' + "[]," * 1_100_000 + "1]}")
    assert [bad.why for bad in parse_tasks(path).bad] == ["it has more parts than any task"]


def test_the_digest_is_that_of_the_tasks_in_their_order() -> None:
    one, other = Task("1", "p", ("a",)), Task("2", "p", ("a",))
    assert digest([one, other]) == digest((one, other)) != digest([other, one])
    assert digest([one]) != digest([Task("1", "p", ("a",), Compare.CONTAINS)])


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_tasks_can_be_read(name: str) -> None:
    tasks = read_tasks(task_path(name))
    kinds = [task.category for task in tasks]
    assert len(tasks) >= 200
    assert len({*kinds[:7]}) == 7
    assert {kinds.count(kind) for kind in {*kinds} - {"other"}} == {kinds.count("sum")}


def test_the_bundled_tasks_are_not_the_same() -> None:
    demo, calibration = ({task.prompt for task in read_tasks(task_path(name))} for name in BUNDLED)
    assert demo.isdisjoint(calibration)


def test_any_other_name_is_a_path() -> None:
    assert task_path("./demo") == Path("demo")
    assert task_path("mine.jsonl") == Path("mine.jsonl")


def test_a_file_that_is_something_else_is_not_read_to_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "MOST_BAD", 2)
    path.write_text("one\ntwo\nthree\n")
    with pytest.raises(UsageError, match="more than 2 of its lines are none, the first in line 1"):
        parse_tasks(path)
