"""Keys, envelopes and identities. Screens never import this."""
