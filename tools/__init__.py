"""Development tools of Podyard; not part of what is installed."""
