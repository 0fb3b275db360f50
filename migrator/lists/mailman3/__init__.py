"""Mailman 3 core's words for what `migrator.lists.model` says, and back. Nothing here asks a server."""
