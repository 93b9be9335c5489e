"""Merger: completion events in, the checkpoint kept, finished books assembled."""
