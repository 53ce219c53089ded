"""How good a model version is: classification, retrieval, and knowing what it does not know."""
