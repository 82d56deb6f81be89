"""Measurements of Podyard beside what people use today: `python -m bench`."""
