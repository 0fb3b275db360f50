"""The transports of form entries, one file each."""
