"""Demo data: a HyperPod-like cluster's objects, and training runs."""
