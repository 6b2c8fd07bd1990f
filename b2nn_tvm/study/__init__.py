"""The comparison of methods: a grid of method, budget and seed, fine-tuned alike at equal cost, and its statistics."""
