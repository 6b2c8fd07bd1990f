"""Whose fault it is: what users hand over wrongly, and what fails in this program itself."""
