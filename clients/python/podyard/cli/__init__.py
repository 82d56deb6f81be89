"""The command line interface `podyard`."""
