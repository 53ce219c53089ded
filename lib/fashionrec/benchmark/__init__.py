"""Measurements that the README quotes: `./spark-submit.sh benchmark NAME`."""
