"""HyperPod clusters from configuration to running, and the logs of the way there."""
