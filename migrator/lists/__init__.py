"""Mailing lists: their settings, owners and members, and how they move without anybody being written to."""
