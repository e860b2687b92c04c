"""``make bench-peers``: the post beside PouchDB with express-pouchdb, on the same work in the same run, where Node is present.

The same count of records of about the same size, on the same machine and loopback, in turns; medians of three. PouchDB
carries them in clear and unsigned; ours are sealed, chained, checked, folded into pages and found by their words.
"""
