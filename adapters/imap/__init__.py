"""Mailboxes over IMAP (RFC 3501, RFC 9051); see README.md for versions, settings and caveats."""
