"""Run the command line as ``python -m gasp_env.cli``."""

from gasp_env.cli.app import main

__all__ = ()

if __name__ == "__main__":
    main()
