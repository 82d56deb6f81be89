"""Watch streams: ordered, unique, reliable, resumable."""
