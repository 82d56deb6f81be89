"""K8sResourceService: reading, watching and changing Kubernetes."""
