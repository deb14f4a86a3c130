"""The OAuth client (RFC 6749, RFC 7009): see README.md for what is ours, authlib's and httpx2's, and why."""
