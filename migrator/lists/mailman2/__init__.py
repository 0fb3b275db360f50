"""Mailman 2.1's own way with lists: what its pages show, how names and texts have to be written to come out right, its settings."""
