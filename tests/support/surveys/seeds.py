"""How a survey of things drawn from seeds is asked for other seeds than those of its table."""

SEEDS = "B2NN_SURVEY_SEEDS"  # the environment variable: the first seed, and how many
