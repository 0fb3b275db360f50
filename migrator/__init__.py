"""migrator moves everything that hangs on a domain's mail from one host to another, and proves that it arrived.

Importing the package opens nothing and imports nothing.
"""

__version__ = "0.1.0"
