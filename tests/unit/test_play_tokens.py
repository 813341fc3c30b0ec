"""Turns become one sequence only where the next prompt goes on exactly where the last completion ended."""

from gasp_env.play import trained_tokens
from gasp_env.policy import Completion
from gasp_env.types import Message

ASK = (Message(role="user", content="?"),)


def turn(prompt, ids, logprobs=None):
    return ASK, Completion(text="", prompt_ids=prompt, token_ids=ids, logprobs=logprobs)


def test_one_turn():
    found = trained_tokens([turn((1, 2), (3, 4), (-1.0, -2.0))])
    assert (found.prompt_ids, found.completion_ids, found.logprobs, found.mask) == (
        (1, 2),
        (3, 4),
        (-1.0, -2.0),
        (1, 1),
    )


def test_turns_that_go_on_are_joined_and_what_the_environment_said_is_masked():
    found = trained_tokens([turn((1,), (2, 3), (-1.0, -2.0)), turn((1, 2, 3, 8, 9), (4,), (-3.0,))])
    assert found.prompt_ids == (1,) and found.completion_ids == (2, 3, 8, 9, 4)
    assert found.mask == (1, 1, 0, 0, 1) and found.logprobs == (-1.0, -2.0, 0.0, 0.0, -3.0) and found.turns == 2


def test_a_template_that_rewrites_history_starts_the_sequence_anew():
    found = trained_tokens([turn((1,), (2, 3)), turn((1, 2, 9), (4,))])
    assert (found.prompt_ids, found.completion_ids, found.turns) == ((1, 2, 9), (4,), 1)


def test_nothing_to_train():
    assert trained_tokens([]) is None
    assert trained_tokens([(ASK, Completion(text="a"))]) is None
