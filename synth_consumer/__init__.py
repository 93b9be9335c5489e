"""Synthesis consumer: chapter jobs in, audio in storage and events out."""
