"""The nouns of the game: frozen, typed, JSON-serialisable (with ``msgspec``).

Goalposts and questions   Goalpost, TestCase, Question
What a trainer row holds  Ticket; what it resolves to: LemmaTask, LiftTask, FreeTask, SolveTask, RealTask
Execution                 Job, Limits, Verdict, TestOutcome, JobOutcome
Measurement               SolveRate, Reward, Rejection
What an episode returns   EpisodeResult with its Turns

A *canonical value* is the ASCII text of `gasp_env.values.encode`: typed, exact and comparable as text; it is never
evaluated. A *literal* is Python literal text such as ``[1, 2], 'a'`` (the arguments of one call).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

__all__ = (
    "Attempt",
    "Axis",
    "EpisodeResult",
    "FreeTask",
    "Goalpost",
    "InputStyle",
    "Job",
    "JobOutcome",
    "LemmaTask",
    "LiftTask",
    "Limits",
    "Message",
    "Question",
    "RealTask",
    "RejectReason",
    "Rejection",
    "Reward",
    "Role",
    "SolveKind",
    "SolveRate",
    "SolveTask",
    "Stage",
    "Task",
    "TestCase",
    "TestOutcome",
    "Ticket",
    "Turn",
    "Verdict",
)


class Role(StrEnum):
    """Who speaks; one set of weights plays both (paper section 1.1)."""

    TEACHER = "teacher"
    STUDENT = "student"


class Stage(StrEnum):
    """What is asked of the model in one episode."""

    LEMMA = "lemma"
    """Teacher: an easier variant of a goalpost."""
    LIFT = "lift"
    """Teacher: a harder variant of an accepted question; the goalpost is not shown."""
    FREE = "free"
    """Teacher: an unguided proposal (AZR)."""
    SOLVE = "solve"
    """Student: a question that a teacher proposed."""
    REAL = "real"
    """Student: a real problem (RLVR)."""


class Axis(StrEnum):
    """What a variant may change (paper: the difficulty axis)."""

    IO = "io"
    """Keep the algorithm; change representation or the choice of inputs and outputs."""
    F = "f"
    """Change the algorithm: add a constraint, combine with another operation."""


class SolveKind(StrEnum):
    """How a question is put to the student."""

    INDUCTION = "induction"
    """Message and visible pairs -> program."""
    DEDUCTION = "deduction"
    """Program and input -> output."""
    ABDUCTION = "abduction"
    """Program and output -> an input."""
    STDIN = "stdin"
    """A real problem: a program that reads standard input."""
    FUNCTIONAL = "functional"
    """A real problem: a function with a given name."""


class InputStyle(StrEnum):
    """How the inputs of a job are written."""

    LITERAL = "literal"
    """Python literals of the arguments, comma separated: ``[1, 2], 'a'``."""
    JSON = "json"
    """One JSON value a line, a line an argument (LiveCodeBench)."""
    STDIN = "stdin"
    """The whole of standard input."""


class Verdict(StrEnum):
    """How one test ended. Every one but the last two is the program's doing."""

    OK = "ok"
    """Ran to its end (before comparison), or equal to the expected value (after it)."""
    WRONG = "wrong"
    RUNTIME_ERROR = "runtime_error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    FORBIDDEN = "forbidden"
    """Killed by the system-call filter."""
    NO_RESULT = "no_result"
    """The process ended without reporting this test."""
    PROTOCOL_ERROR = "protocol_error"
    """The process wrote something that is not a report."""
    UNENCODABLE = "unencodable"
    """The value is not plain data."""
    SKIPPED = "skipped"
    """Not run, because an earlier test of the job failed."""
    SANDBOX_FAILURE = "sandbox_failure"
    """Ours: never a reward; retried once, then masked."""


class RejectReason(StrEnum):
    """Why a proposal was not accepted, in the order of the checks (paper section 1.4)."""

    FORMAT = "format"
    SAFETY = "safety"
    EXECUTION = "execution"
    NONDETERMINISTIC = "nondeterministic"
    ILL_POSED = "ill_posed"
    """Beyond the paper: a trivial program passes, or the message leaks the program."""
    LEAK = "leak"
    """Beyond the paper: contamination guard."""
    SIMILARITY = "similarity"
    BAND = "band"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message."""

    role: str
    """``system``, ``user`` or ``assistant``."""
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One input with its expected output; expected outputs never enter a sandbox."""

    __test__ = False  # not a pytest class

    input: str
    """In the style of its owner (`InputStyle`)."""
    output: str
    """A canonical value (LITERAL, JSON) or the text of standard output (STDIN)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goalpost:
    """A hard real problem that conditions lemma prompts (paper section 1.1)."""

    id: str
    statement: str
    style: InputStyle
    visible: tuple[TestCase, ...]
    """Shown in prompts."""
    hidden: tuple[TestCase, ...]
    """All must match; never shown."""
    entry: str = "f"
    """Function to call, e.g. ``f`` or ``Solution().solve``; unused for STDIN."""
    starter_code: str = ""
    reference: str | None = None
    """A program that solves it, if known; never shown to a model."""
    source: str = ""
    date: str | None = None
    """ISO date of publication."""
    difficulty: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def tests(self) -> tuple[TestCase, ...]:
        """Visible, then hidden tests."""
        return self.visible + self.hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A proposed question that passed validation: program, message, inputs and executed outputs."""

    id: str
    """Hash of program, message and inputs (`gasp_env.game.validate.question_id`)."""
    program: str
    message: str
    inputs: tuple[str, ...]
    """Literals of the arguments, one call each; the first `GameRules.visible` are shown."""
    outputs: tuple[str, ...]
    """Canonical values, aligned with ``inputs``."""
    stage: Stage
    depth: int
    """Rungs from the goalpost: lemma 1, lift 2, lift of a lift 3; 0 for a free proposal."""
    axis: Axis | None = None
    goalpost_id: str | None = None
    parent_id: str | None = None
    """The question that a lift was made from."""
    kind: SolveKind | None = None
    """What an unguided proposal was made for (AZR); None: the kind is drawn uniformly when it is solved (GASP)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The only thing that a trainer's dataset row carries; the curriculum resolves it at run time.

    Every member of a group holds an equal ticket and so gets the same task.
    """

    stage: Stage
    draw_seed: int
    """Decides every draw made while resolving."""
    goalpost_id: str | None = None
    """Pins the goalpost; None lets the curriculum draw it."""
    split: str = "train"
    """``train`` or ``eval``; an eval episode never writes to the curriculum."""

    @property
    def id(self) -> str:
        """A name for leases and logs; equal tickets have equal ids."""
        pin = f"@{self.goalpost_id}" if self.goalpost_id else ""
        return f"{self.split}:{self.stage}{pin}:{self.draw_seed:016x}"

    @property
    def role(self) -> Role:
        """Who is meant to play; see `EpisodeResult.role` for who did."""
        return _role(self.stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class LemmaTask:
    """Teacher: write an easier variant of ``goalpost`` along ``axis``."""

    goalpost: Goalpost
    axis: Axis
    task: str = "lemma"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftTask:
    """Teacher: write a harder variant of ``parent`` along its axis. Holds no goalpost, so none can leak."""

    parent: Question
    axis: Axis
    task: str = "lift"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeTask:
    """Teacher, unguided (AZR): write a question of ``kind`` unlike the references."""

    kind: SolveKind
    references: tuple[Question, ...]
    """K = 6 questions of the buffer; for INDUCTION exactly one, whose program is kept."""
    task: str = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveTask:
    """Student: solve ``question`` put as ``kind``."""

    question: Question
    kind: SolveKind
    index: int = 0
    """Which pair a deduction or abduction asks about."""
    task: str = "solve"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealTask:
    """Student: solve a real problem."""

    problem: Goalpost
    task: str = "real"


Task = LemmaTask | LiftTask | FreeTask | SolveTask | RealTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use."""

    cpu_s: float = 6.0
    """CPU seconds a test."""
    job_cpu_s: float = 60.0
    """CPU seconds for the whole job."""
    memory_mb: int = 1024
    output_bytes: int = 4 << 20
    """Bytes of one test's value or standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One program on some inputs, in one sandboxed process. Holds no expected value."""

    program: str
    inputs: tuple[str, ...]
    style: InputStyle = InputStyle.LITERAL
    entry: str = "f"
    limits: Limits = field(default_factory=Limits)
    hash_seed: int = 0
    """0 or 1: which of two interpreters with different PYTHONHASHSEED, clock and ``random`` seeds runs it."""
    stop_early: bool = False
    """Skip the tests after the first that does not run to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOutcome:
    """What one test did."""

    __test__ = False

    verdict: Verdict
    value: str | None = None
    """Canonical value returned (LITERAL, JSON)."""
    stdout: str | None = None
    """Standard output (STDIN)."""
    error: str = ""
    """Exception type, signal name or cause."""
    message: str = ""
    """At most 200 characters; written by the program, so untrusted."""
    line: int | None = None
    """Line of the program that raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What one job did; ``tests`` aligns with the job's inputs."""

    tests: tuple[TestOutcome, ...]
    cpu_s: float = 0.0
    wall_s: float = 0.0
    max_rss_mb: float = 0.0
    level: str = ""
    """Isolation level that ran it."""
    python: str = ""

    @property
    def failed_by_us(self) -> bool:
        """True if any test ended by an infrastructure fault: the job must be masked, not scored."""
        return any(test.verdict is Verdict.SANDBOX_FAILURE for test in self.tests)


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveRate:
    """``solved`` of ``n`` attempts; kept as counts so that band edges are exact."""

    solved: int
    n: int

    def __post_init__(self) -> None:
        """Refuse impossible counts."""
        if not 0 <= self.solved <= self.n:
            message = f"solve rate {self.solved}/{self.n} is impossible"
            raise ValueError(message)

    @property
    def exact(self) -> Fraction:
        """The rate as a fraction.

        Raises:
            ZeroDivisionError: nothing was measured (n = 0).
        """
        return Fraction(self.solved, self.n)

    @property
    def value(self) -> float:
        """The rate in [0, 1]; nan where nothing was measured."""
        return self.solved / self.n if self.n else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """A number with its named parts; nothing downstream rewrites it. ``None`` means masked, 0.0 means zero."""

    value: float | None
    parts: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a proposal was refused."""

    reason: RejectReason
    detail: str
    """One short sentence; a closed vocabulary before the first colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One exchange with the policy in an episode."""

    role: Role
    messages: tuple[Message, ...]
    """The prompt."""
    completions: tuple[str | None, ...]
    """None where the infrastructure failed."""
    train: bool
    """False for solve-rate probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One graded try at a question."""

    solved: bool | None
    """None: masked by an infrastructure fault."""
    well_formed: bool
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeResult:
    """What one episode produced. ``reward.value`` is None where an infrastructure fault masks it."""

    ticket: Ticket
    stage: Stage
    """What was played; differs from the ticket's where the curriculum had to fall back."""
    reward: Reward
    turns: tuple[Turn, ...]
    goalpost_id: str | None = None
    question_id: str | None = None
    """The question solved (student)."""
    kind: SolveKind | None = None
    question: Question | None = None
    """The question proposed (teacher), if it ran at all."""
    accepted: bool = False
    rejection: Rejection | None = None
    solve_rate: SolveRate | None = None
    attempts: tuple[Attempt, ...] = ()
    """Probes (teacher) or the trained tries, one a turn (student)."""
    masked: str = ""
    """Why the reward is None."""

    @property
    def role(self) -> Role:
        """Who played and is trained."""
        return _role(self.stage)

    @property
    def baseline_key(self) -> str:
        """Advantage group of task-relative REINFORCE++: role, stage and kind."""
        return "/".join(part for part in (self.stage.value, self.kind.value if self.kind else "") if part)


def _role(stage: Stage) -> Role:
    return Role.STUDENT if stage in (Stage.SOLVE, Stage.REAL) else Role.TEACHER
