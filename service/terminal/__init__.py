"""What the API answers, as text for a person at a terminal; shared by the command line and the walk."""
