"""The command line: thin, one module for each group of commands."""

from sfnb.cli.main import main

__all__ = ["main"]
