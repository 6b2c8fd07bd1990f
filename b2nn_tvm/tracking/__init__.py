"""Object tracking with SiamFC (Bertinetto et al., Fully-Convolutional Siamese Networks, ECCV 2016 workshops)."""
