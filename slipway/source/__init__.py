"""From a git address and a ref to a folder that holds exactly one revision."""
