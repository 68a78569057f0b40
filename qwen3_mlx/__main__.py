"""`python -m qwen3_mlx`: the command line, also where the program is not on the path."""

from __future__ import annotations

from qwen3_mlx.cli.app import main

if __name__ == "__main__":
    main()
