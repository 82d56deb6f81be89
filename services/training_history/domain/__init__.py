"""What the service knows and does, without transport or vendor."""
