"""Options of commands: words that are checked at once, and options from a file."""
