"""One file a step, named by its number: ``v0003_by_book.py`` leads from 0002 to 0003. A step that has been released never changes."""
