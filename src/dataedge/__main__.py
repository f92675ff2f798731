"""`python -m dataedge`."""

from dataedge.cli import main

main()
