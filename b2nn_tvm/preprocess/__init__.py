"""What the data of a network mean: how a picture becomes its input, and what its classes are called."""
