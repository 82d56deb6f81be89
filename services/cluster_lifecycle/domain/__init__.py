"""What the service knows and decides; no transport and no vendor."""
