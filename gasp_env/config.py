"""Frozen settings and the named profiles; ``profile="gasp"`` (alias ``paper``) is the paper exactly.

Every extension beyond the paper is a field here that is off in that profile.
"""

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from gasp_env.errors import ConfigError

__all__ = ("LEVELS", "PROFILES", "Band", "Config", "Mix", "Rules", "load_config", "overrides", "profile", "validate")

T = TypeVar("T")
LEVELS = ("L3", "L2", "L1", "L0")
"""Isolation levels, strongest first (`gasp_env.sandbox`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Closed range of solve rates; edges are tenths, compared as integers (paper section 1.4)."""

    low: int
    """Tenths."""
    high: int
    """Tenths."""

    def holds(self, solved: int, n: int) -> bool:
        """True if ``low/10 <= solved/n <= high/10``, exactly."""
        return n > 0 and self.low * n <= 10 * solved <= self.high * n


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one episode."""

    inputs: int = 10
    """Inputs that a proposal must give (AZR, most likely inherited by GASP)."""
    visible: int = 5
    """Input-output pairs shown to the student; the rest is hidden and must all match."""
    rollouts: int = 10
    """Student attempts that estimate a solve rate (all four band edges lie on a 10-grid)."""
    lemma_band: Band = Band(low=3, high=7)
    """Solve rates in tenths, edges included, within which a lemma is accepted."""
    lift_band: Band = Band(low=1, high=5)
    """The same for a lift."""
    lemma_reward: str = "gasp-lemma"
    """What pays for a lemma, a name of the reward registry (`gasp_env.rewards.REWARDS`)."""
    lift_reward: str = "gasp-lift"
    """What pays for a lift."""
    free_reward: str = "azr"
    """What pays for an unguided proposal."""
    invalid_reward: float = -1.0
    """Format, safety, execution and determinism rejections (AZR; not published for GASP)."""
    similarity_reward: float | None = None
    """None masks the sample (resample without gradient); not published for GASP."""
    similarity_threshold: float = 0.95
    """Cosine at or above which a proposal is refused."""
    max_depth: int = 2
    """2: lemma and lift (paper); more adds lifts of lifts."""
    teacher_turns: int = 1
    """More than 1 lets the teacher repair an invalid proposal."""
    student_turns: int = 1
    """More than 1 lets the student retry after a visible test fails."""
    solve_right: float = 1.0
    """A student's right answer (AZR)."""
    solve_wrong: float = -0.5
    """Well-formed but wrong (AZR)."""
    solve_malformed: float = -1.0
    """No answer in the form that was asked for (AZR)."""
    prompt_style: str = "instruct"
    """``instruct`` for language models, ``compact`` for the micro policy."""
    cpu_s: float = 6.0
    """CPU seconds a test."""
    memory_mb: int = 1024
    """Memory of a program."""
    max_value_chars: int = 2000
    """A longer output rejects the proposal (it is never cut)."""
    reject_same_code: bool = False
    """Extension: refuse a proposal whose alpha-renamed program was accepted before."""
    reject_same_behaviour: bool = False
    """Extension: refuse a proposal that acts like an accepted one on shared probes."""
    reject_trivial: bool = False
    """Extension: refuse a question that a constant, an echo or a look-up of visible pairs solves."""
    edge_rollouts: int = 0
    """Extension: extra attempts when the estimate straddles a band edge; 0 is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How tickets are dealt, as weights per stage."""

    lemma: float = 1.0
    """The teacher writes an easier variant of a goalpost."""
    lift: float = 1.0
    """The teacher writes a harder variant of a lemma."""
    free: float = 0.0
    """The teacher proposes unguided (AZR)."""
    solve: float = 2.0
    """The student solves an accepted question."""
    real: float = 0.0
    """The student solves a goalpost (RLVR)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of a run's settings."""

    profile: str = "gasp"
    """Named settings that the rest is laid over: gasp (the paper), azr, rlvr or gasp+rlvr."""
    seed: int = 0
    """Decides every draw of the run."""
    rules: Rules = field(default_factory=Rules)
    mix: Mix = field(default_factory=Mix)
    references: int = 6
    """K: questions shown to the unguided proposer."""
    lease_s: float = 1800.0
    """Seconds after which a handed-out task returns to the queue."""
    sandbox: str = "local"
    """Backend: local, ray, e2b, prime, docker, podman or fusion (also ``podman:IMAGE``, ``fusion:URL``)."""
    require_level: str = "L2"
    """Least sandbox level; lower needs ``allow_unsafe``."""
    allow_unsafe: bool = False
    """Run programs even where no isolation can be had."""
    guard: tuple[str, ...] = ()
    """Extension: evaluation data sets that no accepted question may resemble, nor a lift quote its goalpost; empty is off."""


PROFILES: dict[str, Config] = {
    "gasp": Config(),
    "azr": Config(
        profile="azr",
        mix=Mix(lemma=0, lift=0, free=1, solve=1),
        rules=Rules(rollouts=8, similarity_threshold=2.0),  # AZR takes every valid proposal
    ),
    "rlvr": Config(profile="rlvr", mix=Mix(lemma=0, lift=0, free=0, solve=0, real=1)),
    "gasp+rlvr": Config(profile="gasp+rlvr", mix=Mix(lemma=1, lift=1, free=0, solve=2, real=1)),
}
PROFILES["paper"] = PROFILES["gasp"]


def profile(name: str) -> Config:
    """Look a profile up.

    Raises:
        ConfigError: no such profile.
    """
    if name not in PROFILES:
        raise ConfigError(f"profile: unknown {name!r}; choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


def load_config(path: Path | None = None, overrides: Mapping[str, str] | None = None) -> Config:
    """Read a TOML file over its profile, then dotted overrides such as ``{"rules.rollouts": "8"}``.

    Args:
        path: TOML with the fields of `Config`; ``profile`` picks what the rest is laid over (default ``gasp``).
        overrides: dotted field -> text, as given on a command line; values are read as TOML, else as plain text.

    Raises:
        ConfigError: unknown key, wrong type, value out of range or unreadable file; names the key and what is known.
    """
    changes = _read_toml(path) if path else {}
    for key, text in (overrides or {}).items():
        _put(changes, key, _toml_value(text))
    base = profile(str(changes.pop("profile", "gasp")))
    config = _overlay(base, changes, prefix="")
    validate(config)
    return config


def overrides(pairs: Iterable[str]) -> dict[str, str]:
    """Read ``key=value`` pairs for `load_config`.

    Raises:
        ConfigError: a pair without ``=``.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set: got {pair!r}; expected key=value, e.g. rules.rollouts=8")
        found[key.strip()] = value.strip()
    return found


def validate(config: Config) -> None:
    """Refuse settings that no run can have.

    Raises:
        ConfigError: names the first field that is out of range.
    """
    rules, mix = config.rules, config.mix
    checks: dict[str, tuple[object, bool, str]] = {
        "rules.rollouts": (rules.rollouts, rules.rollouts >= 1, "at least 1"),
        "rules.inputs": (rules.inputs, rules.inputs >= 2, "at least 2"),
        "rules.visible": (rules.visible, 1 <= rules.visible < rules.inputs, "at least 1 and below rules.inputs"),
        "rules.max_depth": (rules.max_depth, rules.max_depth >= 1, "at least 1"),
        "rules.teacher_turns": (rules.teacher_turns, rules.teacher_turns >= 1, "at least 1"),
        "rules.student_turns": (rules.student_turns, rules.student_turns >= 1, "at least 1"),
        "rules.edge_rollouts": (rules.edge_rollouts, rules.edge_rollouts >= 0, "at least 0"),
        "rules.similarity_threshold": (rules.similarity_threshold, 0 < rules.similarity_threshold <= 2, "in (0, 2]"),
        "rules.cpu_s": (rules.cpu_s, rules.cpu_s > 0, "above 0 seconds"),
        "rules.memory_mb": (rules.memory_mb, rules.memory_mb >= 64, "at least 64 MB"),
        "references": (config.references, config.references >= 1, "at least 1"),
        "lease_s": (config.lease_s, config.lease_s > 0, "above 0 seconds"),
        "require_level": (config.require_level, config.require_level in LEVELS, f"one of {', '.join(LEVELS)}"),
        "mix": (mix, min(_weights(mix)) >= 0 < sum(_weights(mix)), "weights of at least 0, one of them above"),
    }
    for name, band in (("rules.lemma_band", rules.lemma_band), ("rules.lift_band", rules.lift_band)):
        checks[name] = (band, 0 <= band.low <= band.high <= 10, "tenths with 0 <= low <= high <= 10")
    for name, (value, fine, wanted) in checks.items():
        if not fine:
            raise ConfigError(f"{name}: is {value}, must be {wanted}")


def _weights(mix: Mix) -> tuple[float, ...]:
    return mix.lemma, mix.lift, mix.free, mix.solve, mix.real


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML ({error})") from None


def _toml_value(text: str) -> Any:  # noqa: ANN401 - any TOML value
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(changes: dict[str, Any], key: str, value: Any) -> None:  # noqa: ANN401
    *parents, last = key.split(".")
    for parent in parents:
        inner = changes.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{key}: {parent!r} is a value, it has no fields")
        changes = cast("dict[str, Any]", inner)
    changes[last] = value


def _overlay(base: T, changes: Mapping[str, Any], *, prefix: str) -> T:
    known = {one.name: getattr(base, one.name) for one in fields(cast("Any", base))}
    wanted: dict[str, Any] = {}
    for key, value in changes.items():
        name = f"{prefix}{key}"
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {prefix}{close[0]}? " if close else ""
            raise ConfigError(f"{name}: unknown setting; {hint}Known here: {', '.join(known)}")
        if is_dataclass(known[key]) and isinstance(value, dict):
            wanted[key] = _overlay(known[key], cast("dict[str, Any]", value), prefix=f"{name}.")
        else:
            wanted[key] = _typed(name, value, get_type_hints(type(base))[key])
    return cast("T", replace(cast("Any", base), **wanted))


def _typed(name: str, value: Any, kind: Any) -> Any:  # noqa: ANN401 - from TOML, to a field's type
    if kind is float and type(value) is int:
        return float(value)
    if kind == float | None:
        return None if value in ("none", "null") else _typed(name, value, float)
    if kind == tuple[str, ...]:
        return tuple(_typed(name, item, str) for item in _listed(value))
    if type(value) is float and not math.isfinite(value):
        raise ConfigError(f"{name}: is {value}, must be finite")
    if type(value) is not kind:
        raise ConfigError(f"{name}: is {value!r} ({type(value).__name__}), must be {getattr(kind, '__name__', kind)}")
    return value


def _listed(value: Any) -> list[Any]:  # noqa: ANN401
    """One value counts as a list of it."""
    return [*cast("Iterable[Any]", value)] if type(value) is list else [value]
