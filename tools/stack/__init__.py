"""The local stack: a real Kubernetes control plane, AWS emulators, MLflow, demo data, Podyard."""
