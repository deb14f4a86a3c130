"""The simulators that come with mailport, so that the whole journey runs on a laptop or in a user's CI."""
