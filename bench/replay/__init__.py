"""A source of pods, events and log lines that is faster than what is measured."""
