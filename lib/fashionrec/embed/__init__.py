"""Pictures become embeddings and predicted article types, under one model version."""
