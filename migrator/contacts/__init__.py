"""Contacts: address books from one webmail, server or file to another."""
