"""The programs that wrote the files of the corpus, each with the exporter that it is named after."""
