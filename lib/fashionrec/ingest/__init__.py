"""A catalogue folder becomes the tables products, images, rejects and files."""
