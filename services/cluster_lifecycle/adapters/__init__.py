"""Files, AWS, the engine's programs and the k8s-resource service behind the domain's ports."""
