"""One file for each RPC, named after it; `prove` and `attempt` are the steps that several share."""
