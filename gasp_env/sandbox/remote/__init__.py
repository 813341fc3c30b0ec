"""The sandbox at the far end of a wire: our own local backend as one archive, jobs in as JSON, outcomes out as JSON lines."""

__all__ = ()
