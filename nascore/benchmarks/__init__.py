"""Benchmark tables and the readers of the field's files."""
