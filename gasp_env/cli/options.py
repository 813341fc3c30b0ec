"""What ``gasp-env play`` can be told; the field docstrings are its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

__all__ = ("PlayOptions",)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """Options of ``gasp-env play``."""

    run: Path
    """Run folder to write: manifest, curriculum.db, transcripts, policy calls, metrics."""
    policy: str
    """Who plays: ``openai:URL[#MODEL]``, ``hf:NAME_OR_FOLDER``, ``scripted:FILE`` or ``replay:RUN/policy.jsonl``."""
    goalposts: Path | None = None
    """JSON lines file of hard problems to start from; with --resume the run's own copy is the default."""
    episodes: int = 64
    """Episodes that the run shall hold in the end, rounded up to whole waves."""
    wave: int = 8
    """Episodes drawn against one state of the curriculum and settled in order; part of what makes a run repeatable."""
    concurrency: int = 8
    """Episodes played at once, at most; changes the speed only."""
    profile: str | None = None
    """Named settings: gasp (the paper), azr, rlvr, gasp+rlvr."""
    config: Path | None = None
    """TOML file of settings, read over its profile."""
    set: tuple[str, ...] = ()
    """One setting as key=value, e.g. ``--set rules.rollouts=8``; may be given again and wins over the file."""
    seed: int | None = None
    """Decides every draw of the run."""
    sandbox: str | None = None
    """Where programs run: local, ray, e2b, prime, docker, podman or fusion (also ``podman:IMAGE``, ``fusion:URL``)."""
    guard: tuple[str, ...] = ()
    """Evaluation data set that no accepted question may resemble; give it again for more."""
    temperature: float = 1.0
    """Sampling temperature."""
    top_p: float = 1.0
    """Nucleus sampling."""
    max_tokens: int = 2048
    """Most new tokens an answer; the model's context is a limit in any case."""
    timeout: float = 600.0
    """Seconds to wait for one answer of an endpoint, before it is asked again."""
    embedder: str = "hashing"
    """Similarity check: ``hashing`` (built in, needs no model) or ``sentence-transformers:NAME``."""
    resume: bool = False
    """Go on with the run in the folder."""
    new: bool = False
    """Start anew; a run already in the folder is renamed to NAME.old-1."""
    skip_bad_rows: bool = False
    """Load the good rows of a goalpost file that has bad ones."""
    record: Annotated[bool, Parameter(negative="--no-record")] = True
    """Keep every call of the policy in policy.jsonl, for replay."""
    quiet: bool = False
    """No progress display."""
