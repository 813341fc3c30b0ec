"""Backends that run model-written programs, behind one protocol.

What is covered: reading or changing files, the network, other processes, the environment and its keys, leftovers
between jobs, forged results, and running on after a limit. What is not: bugs of the kernel itself, and time side channels.

    sandbox = await open_local()          # L3 or L2, or SandboxUnavailable with the fix
    outcomes = await sandbox.run([Job(program="def f(x): return x + 1", inputs=("1", "2"))])
    await sandbox.close()
"""

from gasp_env.sandbox.local import LocalSandbox, open_local
from gasp_env.sandbox.protocol import Sandbox, SandboxReport

__all__ = ("LocalSandbox", "Sandbox", "SandboxReport", "open_local")
