"""Random changes of training images, made on whole batches of them."""
