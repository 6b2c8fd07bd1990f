"""Networks whose input is a picture: what is done to the picture first, and who does it."""
