"""The server that openenv.yaml names; serves the run that GASP_RUN names.

uvicorn server.app:app --port 8000
"""

from gasp_env.adapters.openenv import make_app

app = make_app()
