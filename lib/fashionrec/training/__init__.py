"""From tables to a model version: the training set, distributed fine-tuning, and its record."""
