"""Mailman 2.1's web administration as an emulator: `server.Mailman2` serves it, `lists.MailingList` is what a test puts in. To try things on:
`python -m migrator.testing.mailman2 --help`.
"""
