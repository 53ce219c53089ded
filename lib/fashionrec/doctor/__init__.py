"""The job `doctor`: what an environment needs before a night is entrusted to it, looked at in turn.

A check is a function from what was found out to a `Finding`; `doctor` finds out, and lists them.
"""
