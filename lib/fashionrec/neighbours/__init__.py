"""Exact nearest neighbours by cosine: arrays in, arrays out, no Spark."""
