"""The central store: keeps sealed changes in order and gives receipts; it holds no key and can read nothing (C.8)."""
