"""Networks compared at equal measured milliseconds: narrower ones, those of one precision, MixBin's mixtures."""
