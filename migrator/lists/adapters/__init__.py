"""One file for each product that holds mailing lists."""
