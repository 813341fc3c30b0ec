"""Runs model-written programs behind walls.

    from gasp_env.sandbox import open_local

    async with await open_local(require="L2") as sandbox:
        (outcome,) = await sandbox.run([Job(program="def f(x): return x + 1", inputs=("1", "41"))])
        outcome.tests[1].value          # 'i2a;': canonical text, to compare with gasp_env.values.equal

Expected values never enter a sandbox; status, time and memory come from the kernel; the level in force is reported
(`SandboxReport`), never silently lowered; what the machine does wrong is its own verdict, never a wrong program.
"""

from gasp_env.sandbox.choose import BACKENDS, check_backend, open_sandbox
from gasp_env.sandbox.local import LocalSandbox, open_local
from gasp_env.sandbox.protocol import Sandbox, SandboxReport

__all__ = ("BACKENDS", "LocalSandbox", "Sandbox", "SandboxReport", "check_backend", "open_local", "open_sandbox")
