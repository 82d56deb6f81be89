"""The gRPC services of Podyard, one package each, and what they share."""
