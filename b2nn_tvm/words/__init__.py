"""The words that users type, and what was meant by others."""
