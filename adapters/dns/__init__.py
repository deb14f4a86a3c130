"""Public DNS records, by dnspython."""
