"""The books of a cluster, and what its owner may do with them."""
