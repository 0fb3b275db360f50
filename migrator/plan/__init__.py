"""The plan file: its shape, its mistakes, the accounts it names, and how its words become steps."""
