"""Real servers on loopback, each inside one folder, for the tests and the demo. Standard library only: it runs before anything
is installed. `scripts/servers` is its command.
"""
