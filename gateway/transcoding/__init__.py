"""HTTP/JSON from the `google.api.http` options of the services' descriptors."""
