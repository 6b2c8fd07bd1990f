"""Quantized operators become arithmetic in float on whole numbers, which is exact below 2^24."""
