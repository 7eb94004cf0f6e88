"""What was known about a campaign at a moment: one code path for training and serving.

Nothing here reads a clock, a disk or a network; a moment is always an argument.
"""
