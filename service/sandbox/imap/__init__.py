"""The sandbox's mailbox: an IMAP4rev1 server (RFC 3501, with the extensions that clients use) over its inbox."""
