"""gasp-env: Guided Asymmetric Self-Play (arXiv 2603.15957) as training environments for coding LLMs."""

__all__ = ("__version__",)

__version__ = "0.1.0"
