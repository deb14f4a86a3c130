"""Submission over SMTP (RFC 6409, RFC 5321): see README.md for what is ours, what is aiosmtplib's, and why."""
