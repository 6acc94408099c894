"""What would be billed: a scenario is played on a scratch copy, and nothing of it is kept."""
