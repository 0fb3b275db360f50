"""A mailbox over IMAP, once there is a connection that is logged in: reading it, filling it, and the shapes of what servers say."""
