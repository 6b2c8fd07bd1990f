"""All that leans on what TVM does not promise: one file per trick, and a test for each that says what a new TVM
breaks.
"""
