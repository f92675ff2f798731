"""`python -m dataedge.cli`."""

from dataedge.cli.app import main

main()
