"""Connections below the rooms: TLS, IMAP lines, pace."""
