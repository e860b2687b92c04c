"""The plain path: every task of the screens as a command, for screen readers, scripts and administrators."""
