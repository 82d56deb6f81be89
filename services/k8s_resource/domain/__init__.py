"""What the service does, without knowing gRPC or an HTTP client."""
