"""`python -m tuning` is the `tune` command."""

from tuning.cli import main

main()
