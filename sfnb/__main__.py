"""`python -m sfnb`: the command line."""

from sfnb.cli import main

main()
