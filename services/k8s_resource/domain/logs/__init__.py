"""Following container logs: each line exactly once, whatever happens to the connections."""
