"""Accounts in the tables a mail server reads: postfixadmin's, and those of the classic guides."""
