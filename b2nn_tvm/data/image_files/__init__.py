"""Files of images: which there are, in which folders, and what is in them."""
