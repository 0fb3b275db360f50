"""What reaches a store, below the rooms: TLS, HTTP, IMAP lines, SQL, files on disk."""
