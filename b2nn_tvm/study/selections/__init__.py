"""What exact selection, pairwise terms and short fine-tuning of the runners-up buy against the plain sort."""
