"""The functions of a file before they are put in place of their calls."""
