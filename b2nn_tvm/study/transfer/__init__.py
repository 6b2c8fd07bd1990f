"""Plans that were found on one data set and serve another one."""
