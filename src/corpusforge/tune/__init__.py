"""From proxies at several shares to a law of their losses, and to the share that keeps a forgetting budget."""
