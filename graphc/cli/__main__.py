"""`python -m graphc.cli`: the command line where the script `graphc` is not on the path."""

from graphc.cli import main

main()
