"""Microsoft Graph as a way to send: which requests a message takes, and what the answers mean; no HTTP in here."""
