"""Accounts: what a hosting panel keeps for a domain's mail, from any panel to any panel."""
