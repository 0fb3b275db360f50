"""What a session of CardDAV stands on: a line to one server at a time, and how the server and the account's books are found."""
