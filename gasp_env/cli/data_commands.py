"""The commands on real data: thin functions whose docstrings are the help (see `gasp_env.cli.app`)."""

from gasp_env.cli.data_options import EvalOptions, GradingOptions, MineOptions, SamplingOptions

__all__ = ("evaluate", "mine")


def evaluate(
    options: EvalOptions, grading: GradingOptions | None = None, sampling: SamplingOptions | None = None
) -> None:
    """Grade answers to real problems: pass@k with intervals, splits, paired comparison; JSON, table and figure.

    The paper's evaluation problems, 20 answers each from a model server:

    ```
    gasp-env eval --problems data/lcb --window 2024-08-01.. --policy openai:http://localhost:8000/v1 --n 20 --out evals/gasp
    ```

    Saved answers again, without the model, under the official semantics:

    ```
    gasp-env eval --problems data/lcb --samples evals/gasp/samples.jsonl --mode lcb --out evals/gasp-lcb
    ```

    Two runs, paired by problem:

    ```
    gasp-env eval --problems data/lcb --samples azr.jsonl --baseline evals/gasp --out evals/azr
    ```
    """
    from gasp_env.cli.evaluating import eval_command

    eval_command(options, grading or GradingOptions(), sampling or SamplingOptions())


def mine(options: MineOptions, grading: GradingOptions | None = None, sampling: SamplingOptions | None = None) -> None:
    """Find goalposts: real problems that no checkpoint of any round solves in n answers, with the evidence.

    Three rounds as in the paper, a checkpoint each:

    ```
    gasp-env mine --problems data/lcb --checkpoint 1:rlvr=openai:http://localhost:8000/v1#rlvr --checkpoint 2:azr=openai:http://localhost:8000/v1#azr --out goalposts
    ```

    From saved answers:

    ```
    gasp-env mine --problems data/lcb --samples 1:base=base.jsonl --n 10 --out goalposts
    ```
    """
    from gasp_env.cli.mining import mine_command

    mine_command(options, grading or GradingOptions(), sampling or SamplingOptions())
