"""A deterministic simulator (security E.2): the real laptop and the real central store, with an invented world around them."""
