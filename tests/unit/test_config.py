"""Settings: profiles, TOML, overrides, and one clear sentence for every mistake."""

import pickle
from dataclasses import replace

import msgspec
import pytest

from gasp_env.config import PROFILES, Band, Config, Mix, load_config, profile
from gasp_env.errors import ConfigError


def test_the_paper_profile_has_every_extension_off():
    rules = profile("paper").rules
    assert profile("paper") is profile("gasp")
    assert (rules.teacher_turns, rules.student_turns, rules.max_depth, rules.edge_rollouts) == (1, 1, 2, 0)
    assert not (rules.reject_same_code or rules.reject_same_behaviour or rules.reject_trivial)
    assert (rules.rollouts, rules.inputs, rules.visible, rules.similarity_threshold) == (10, 10, 5, 0.95)
    assert (rules.lemma_band, rules.lift_band) == (Band(low=3, high=7), Band(low=1, high=5))
    assert profile("gasp").mix.real == 0 and profile("gasp").guard == ()


def test_toml_and_overrides(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('profile = "azr"\nseed = 3\n[rules]\nrollouts = 16\ncpu_s = 2\nlemma_band = {low = 2, high = 8}\n')
    config = load_config(file, {"rules.rollouts": "12", "mix.solve": "3", "rules.prompt_style": "compact"})
    assert config.profile == "azr" and config.seed == 3 and config.mix == replace(PROFILES["azr"].mix, solve=3.0)
    assert (config.rules.rollouts, config.rules.cpu_s, config.rules.prompt_style) == (12, 2.0, "compact")
    assert config.rules.lemma_band == Band(low=2, high=8)


def test_optional_number():
    assert load_config(None, {"rules.similarity_reward": "-0.5"}).rules.similarity_reward == -0.5
    assert load_config(None, {"rules.similarity_reward": "none"}).rules.similarity_reward is None


def test_one_path_or_several():
    assert load_config(None, {"guard": "eval.jsonl"}).guard == ("eval.jsonl",)
    assert load_config(None, {"guard": '["a.jsonl", "b.jsonl"]'}).guard == ("a.jsonl", "b.jsonl")
    with pytest.raises(ConfigError, match=r"guard: is 3 .int., must be str"):
        load_config(None, {"guard": "[3]"})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("rules.rolouts", "8", "rules.rolouts: unknown setting; did you mean rules.rollouts"),
        ("profile", "gsap", "unknown 'gsap'"),
        ("rules.rollouts", "many", "rules.rollouts: is 'many' .str., must be int"),
        ("rules.rollouts", "0", "rules.rollouts: is 0, must be at least 1"),
        ("rules.rollouts", "true", "must be int"),
        ("rules.visible", "10", "below rules.inputs"),
        ("rules", "3", "rules: is 3"),
        ("seed.x", "3", "seed: is {'x': 3}"),
        ("require_level", "L9", "one of L3"),
        ("mix.solve", "-1", "mix: is"),
        ("rules.lift_band.high", "11", "tenths"),
    ],
)
def test_mistakes(key, value, words):
    with pytest.raises(ConfigError, match=words):
        load_config(None, {key: value})


@pytest.mark.parametrize("text", ["a = ", "\x00", "[rules\n"])
def test_unreadable_files(tmp_path, text):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="is no TOML"):
        load_config(file)
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(tmp_path / "absent.toml")


def test_settings_survive_json_and_pickle():
    config = replace(Config(), mix=Mix(real=1))
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config
    assert pickle.loads(pickle.dumps(config)) == config
