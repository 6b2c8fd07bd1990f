"""Image files whose classes stand in a table beside them."""
