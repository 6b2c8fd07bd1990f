"""The whole loop: a torch model and a budget become a library that keeps the budget."""
