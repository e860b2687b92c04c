"""One file a step, named by its number: ``v0002_by_book.py`` leads from 0001 to 0002. A step that has been released never changes."""
