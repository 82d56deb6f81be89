"""Whether a cluster can be worked with, found out before anything else is tried."""
