"""The inventory of GPUs and other extended resources."""
