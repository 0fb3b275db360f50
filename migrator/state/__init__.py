"""What the ledger keeps and how: SQLite beside the plan, or any SQLAlchemy URL."""
