"""Backends that run model-written programs, behind one protocol."""
