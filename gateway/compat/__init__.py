"""The REST paths of the panel that Podyard replaces, on the same gRPC clients."""
