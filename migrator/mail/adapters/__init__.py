"""Products that can be a source or a target of mail; one file each, found by its name through the registry."""
