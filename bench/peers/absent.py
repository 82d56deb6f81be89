"""Peers that this machine may lack."""

from __future__ import annotations


class PeerMissingError(Exception):
    """It cannot be had here; the text says why, in a few words."""
