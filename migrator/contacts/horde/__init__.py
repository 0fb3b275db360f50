"""Horde's own way with cards: the columns of Turba, and the form in which PHP writes lists into one of them."""
