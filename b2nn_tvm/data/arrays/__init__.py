"""Data sets whose files hold arrays of pixels, not image files."""
