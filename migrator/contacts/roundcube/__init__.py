"""Roundcube's own way with cards, for the adapters that reach it: over its web pages and in its database."""
