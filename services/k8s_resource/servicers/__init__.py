"""The RPCs by topic; `services.k8s_resource.servicer` puts them together."""
