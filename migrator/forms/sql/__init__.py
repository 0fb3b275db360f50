"""How tables and rows are said to databases, and read from them."""
