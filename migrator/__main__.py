"""`python -m migrator`."""

from migrator.cli.app import main

main()
