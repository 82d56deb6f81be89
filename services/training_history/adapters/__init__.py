"""The technologies behind the ports: MLflow over HTTP, SQLite, a file of columns."""
