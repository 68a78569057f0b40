"""A folder that appears under its name complete, or not at all.

Knows temporary siblings, flushing and renaming. Does not know how the folder is filled.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qwen3_mlx.convert.ledger import LEDGER
from qwen3_mlx.convert.lock import locked
from qwen3_mlx.errors import TOO_LARGE, ConversionError, FetchError, Qwen3Error, UsageError
from qwen3_mlx.memory import shown_bytes

# From <fcntl.h> and <linux/fs.h>; from <sys/stdio.h> on macOS.
AT_FDCWD = -100
RENAME_EXCHANGE = 2
RENAME_SWAP = 2

CANNOT_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

HINTS = {
    errno.ENOSPC: "Free some space, or choose a destination on another disk.",
    errno.EDQUOT: "Free some space, or choose a destination on another disk.",
    errno.EACCES: "Choose a destination in a folder that you may write to.",
    errno.EPERM: "Choose a destination in a folder that you may write to.",
    errno.EROFS: "Choose a destination in a folder that you may write to.",
}


def find_destination(name: str | Path, source: Path | None, *, force: bool) -> Path:
    """The destination's path, links resolved, unless something would be lost there.

    Args:
        name: As the person gave it.
        source: The source's folder, links resolved; None where it has none.
        force: Whether a model folder of that name may be replaced.

    Raises:
        UsageError: It exists and `force` is off, is no model folder, or overlaps the source; or
            no folder can have that name.
    """
    try:
        destination = Path(name).expanduser().resolve()
        _check_destination(destination, source, force=force)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"the destination {name} cannot be used: {error}") from error
    return destination


def _check_destination(destination: Path, source: Path | None, *, force: bool) -> None:
    if source is not None:
        _check_apart(destination, source)
    if destination.exists():
        _check_replaceable(destination, force=force)


def _check_apart(destination: Path, source: Path) -> None:
    if destination.is_relative_to(source):
        raise UsageError(
            f"the destination {destination} lies inside the source {source}",
            hint="Choose a destination beside it.",
        )
    if source.is_relative_to(destination):
        raise UsageError(f"the destination {destination} holds the source {source}")


def _check_replaceable(destination: Path, *, force: bool) -> None:
    if not force:
        raise UsageError(
            f"the destination {destination} exists",
            hint="Choose another one, or replace it with force=True.",
        )
    if not (destination / "config.json").is_file():
        raise UsageError(
            f"the destination {destination} exists and is no model folder: it is not replaced"
        )


def staging_of(destination: Path) -> Path:
    """Where a destination is put together, and where what is finished of it is kept."""
    return destination.with_name(f".{destination.name}.partial")


@contextmanager
def claimed(name: str | Path, source: Path | None, *, force: bool) -> Iterator[Path]:
    """The destination's path, which no other converter writes to while the context lasts.

    Parents that it lacks are made, and removed after an error unless something was kept in them.

    Args:
        name: As for `find_destination`.
        source: As for `find_destination`.
        force: As for `find_destination`.

    Raises:
        UsageError: As `find_destination`.
        ConversionError: The operating system refused to create, write, flush or rename, or
            another process is at work on the same destination.
    """
    destination = find_destination(name, source, force=force)
    try:
        with _parents(destination), locked(destination):
            _recover(destination)
            # Another converter may have finished it since.
            find_destination(name, source, force=force)
            yield destination
    except OSError as error:
        raise _not_written(destination, error, 0) from error


def _not_written(destination: Path, error: OSError, nbytes: int) -> ConversionError:
    too_large = nbytes and error.errno in TOO_LARGE
    needed = f"; {shown_bytes(nbytes)} are needed" if too_large else ""
    return ConversionError(
        f"{destination} could not be written: {error.strerror or error}{needed}",
        hint=_hint(error, staging_of(destination)),
    )


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Makes the folders above a path; those that it made go again if the block raises."""
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for parent in missing:
            with suppress(OSError):
                parent.rmdir()
        raise


@contextmanager
def staged(destination: Path, nbytes: int) -> Iterator[Path]:
    """A folder beside `destination`, which takes that name when the block ends well.

    A folder that has the name by then is replaced. When the block raises, what was under the name
    stays as it was. The new folder is removed then, unless something in it is finished and the
    source was not at fault: it is kept for the next try, which finds it here again.

    Args:
        destination: Claimed already.
        nbytes: What the folder is to hold, about.

    Raises:
        ConversionError: The operating system refused to create, write, flush or rename.
    """
    try:
        with _staging(destination) as staging:
            yield staging
    except OSError as error:
        raise _not_written(destination, error, nbytes) from error


@contextmanager
def _staging(destination: Path) -> Iterator[Path]:
    keep, staging = False, staging_of(destination)
    try:
        staging.mkdir(exist_ok=True)
        yield staging
        _flush(staging)
        (staging / LEDGER).unlink(missing_ok=True)
        _publish(staging, destination)
    except BaseException as error:
        at_fault = isinstance(error, Qwen3Error) and not isinstance(error, FetchError)
        keep = not at_fault and (staging / LEDGER).exists()
        raise
    finally:
        if not keep:
            shutil.rmtree(staging, ignore_errors=True)


def _hint(error: OSError, staging: Path) -> str | None:
    advice = HINTS.get(error.errno or 0)
    if not staging.exists():
        return advice
    kept = f"What is finished is kept in {staging}: run the same command again to go on."
    return f"{advice} {kept}" if advice else kept


def _aside_of(destination: Path) -> Path:
    """Where a folder is while another one takes its name, if that needs more than one step."""
    return destination.with_name(f"{staging_of(destination).name}.old")


def _recover(destination: Path) -> None:
    """Undo what a kill between those steps left: what was replaced has its name again."""
    aside = _aside_of(destination)
    if aside.exists():
        if destination.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(destination)


def _flush(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(staging: Path, destination: Path) -> None:
    """Give `staging` the destination's name; a folder that had it is then called `staging`."""
    if destination.exists():
        _exchange(staging, destination)
    else:
        staging.rename(destination)
    _sync(destination.parent)


def _exchange(first: Path, second: Path) -> None:
    try:
        _exchange_at_once(first, second)
    except OSError as error:
        if error.errno not in CANNOT_EXCHANGE:
            raise
        _exchange_by_renaming(first, second)


def _exchange_at_once(first: Path, second: Path) -> None:
    """Swap two names in one step; raises OSError where the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*names, RENAME_SWAP)
    else:
        failed = libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _exchange_by_renaming(first: Path, second: Path) -> None:
    """Swap two names in three steps, undone if the second fails."""
    aside = _aside_of(second)
    second.rename(aside)
    try:
        first.rename(second)
    except OSError:
        aside.rename(second)
        raise
    aside.rename(first)
