"""The programs of the steps, run detached from the service."""
