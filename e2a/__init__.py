"""Shared kernel of the e2a audiobook pipeline: contracts and adapters. Imports no service."""

__version__ = "0.1.0"
