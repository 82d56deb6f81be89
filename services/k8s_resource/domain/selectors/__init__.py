"""Label and field selectors in Kubernetes' grammar."""
