"""The API of mailport, generated from the proto files; versions are sub-packages."""
