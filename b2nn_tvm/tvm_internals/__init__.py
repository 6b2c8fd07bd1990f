"""All code that relies on parts of TVM that TVM does not promise to keep: one file per trick, and a test for each file
that shows where a new TVM breaks it.
"""
