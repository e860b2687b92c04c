"""The post: carries sealed envelopes between laptops and the central store."""
