"""Policies: whatever samples completions of chat messages, behind one protocol."""
