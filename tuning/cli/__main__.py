"""`python -m tuning.cli` is the `tune` command."""

from tuning.cli import main

main()
