"""The mail room: folders and messages from one store to another."""
