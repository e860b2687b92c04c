"""``make bench-peers``: the post beside PouchDB with express-pouchdb, on the same work in the same run, where Node is present.

The very same notes, on the same machine and loopback, turn and turn about; medians, and the spread over the rounds. PouchDB
carries them in clear and unsigned; ours are sealed, chained, checked, folded into pages and found by their words.
"""
