"""A batch recommender for product catalogues with pictures, on Spark, Delta Lake and PyTorch."""
