"""A catalogue folder becomes the tables products, images, rejects, violations and files."""
