"""The gRPC edge: requests in, domain values through, responses and statuses out. Alone in knowing the generated API."""
