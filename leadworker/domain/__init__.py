"""What is true, whoever stores or shows it: one file per topic."""
