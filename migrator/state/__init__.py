"""What the ledger keeps and how: an SQLite file beside the plan, or a PostgreSQL database by its URL."""
