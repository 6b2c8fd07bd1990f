"""The work of a study: what is trained and scored on one data set, and how it is run once and kept on disk."""
