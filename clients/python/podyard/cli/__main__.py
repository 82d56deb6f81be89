"""`python -m podyard.cli`."""

from podyard.cli.main import run

run()
