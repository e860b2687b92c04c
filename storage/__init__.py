"""The cupboard: one encrypted file."""
