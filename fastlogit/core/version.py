"""The version of fastlogit."""

__version__ = "0.1.0"
