"""The list-watch cache: one upstream watch per cluster and kind, whoever reads."""
