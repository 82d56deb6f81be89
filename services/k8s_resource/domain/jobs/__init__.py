"""Training jobs of every kind, with what their pods, nodes and queues tell of them."""
