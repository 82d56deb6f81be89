"""The history of training runs, served from a synchronised cache of an MLflow tracking server."""
