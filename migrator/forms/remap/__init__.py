"""Entries beside others (`existing: remap`): which numbers, forms and fields of the target theirs become, and how they move with them."""
