"""`python -m qwen3_mlx`: the command line, also where the program is not on the path."""

from __future__ import annotations

from qwen3_mlx.environment import prepare_metal

INTERRUPTED = 130


def main() -> None:
    """Runs the command line; Ctrl-C leaves quietly, also while it is still being imported."""
    try:
        prepare_metal()
        from qwen3_mlx.cli.app import main as run

        run()
    except KeyboardInterrupt as error:
        raise SystemExit(INTERRUPTED) from error


if __name__ == "__main__":
    main()
