"""One file for each product that holds address books."""
