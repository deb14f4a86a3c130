"""The web side: readiness for orchestrators, pages for people."""
