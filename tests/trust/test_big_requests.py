"""Requests of absurd size: some that are quickly told, and what must be noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trust.absurd import GIB, REQUESTS, Request, command, desk, script
from tests.trust.big_requests import try_request
from tests.trust.tally import Tally

QUICK = (
    "a prompt of 60,000 tokens in a file",
    "a file of 40 MB",
    "a context of 10^9",
    "10^12 tokens of reply",
    "60,000 tokens in a chat",
    "a batch of 30,000 rows at once",
    "gigabytes piped in",
    "20 million emoji",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    desk(folder)
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_absurd_requests_are_refused_or_done_in_parts(folder: Path, name: str) -> None:
    tally = Tally()
    assert 0 < try_request(tally, name, folder) < REQUESTS[name].most
    assert tally.offenders == []


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (script("import os; os.kill(os.getpid(), 9)", ""), "ended by signal 9"),
        (script("raise RuntimeError", ""), "traceback"),
        (script("print('done')", "done"), "something else"),
        (command("ask", "Hi", "--temp", "inf", says="no such words"), "something else"),
        (script(f"bytearray({GIB} + 10**6); sys.exit('refused')", "refused"), "too much memory"),
    ],
)
def test_what_must_not_be_is_noticed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    request_: Request,
    outcome: str,
) -> None:
    monkeypatch.setitem(REQUESTS, "forged", request_)
    tally = Tally()
    try_request(tally, "forged", folder)
    assert [*tally.fallen] == [outcome]
