"""Checkpoints and weights that were torn, flipped, swapped, pickled or sent by a stranger: the one before, or one line."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from safetensors.torch import load_file, save_file
from torch import nn

from mr2ct.errors import BadInput
from mr2ct.run_folder import load_checkpoint, load_weights, save_checkpoint, save_weights

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
EXAMPLES = [200, pytest.param(2000, marks=pytest.mark.long)]


class Evil:
    """What a pickle does when it is opened without a question."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("executed"),)


def state(step: int) -> dict:
    generator = torch.Generator().manual_seed(step)
    return {"weights": {"a": torch.randn(40, 30, generator=generator), "b": torch.arange(7)}}


@some.composite
def damage(draw: Callable) -> Callable[[bytes], bytes]:
    """A way to spoil a file: cut it, flip a bit, zero or repeat a stretch, put something else in its place."""
    kind = draw(some.sampled_from(["cut", "flip", "zeros", "swap", "noise", "longer"]))
    place, length = draw(some.floats(0, 1)), draw(some.integers(1, 600))
    noise = draw(some.binary(max_size=40))

    def spoil(whole: bytes) -> bytes:
        k = min(int(place * len(whole)), len(whole) - 1)
        if kind == "cut":
            return whole[:k]
        if kind == "flip":
            return whole[:k] + bytes([whole[k] ^ (1 << length % 8)]) + whole[k + 1 :]
        if kind == "zeros":
            return whole[:k] + bytes(min(length, len(whole) - k)) + whole[k + length :]
        if kind == "swap":
            half = length // 2 + 1
            return (
                whole[:k]
                + whole[k + half : k + 2 * half]
                + whole[k : k + half]
                + whole[k + 2 * half :]
            )
        return noise if kind == "noise" else whole + noise

    return spoil


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one["weights"][k], other["weights"][k]) for k in ("a", "b"))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_spoilt_checkpoint(examples: int, tmp_path: Path, fault: Callable[..., None]):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, state(step))
    older, newer = sorted((tmp_path / "checkpoint").glob("step-*.pt"))
    whole, before, fell_back = newer.read_bytes(), older.read_bytes(), []

    @settings(max_examples=examples, deadline=None, suppress_health_check=QUIET, derandomize=True)
    @given(damage())
    def check(spoil: Callable[[bytes], bytes]) -> None:
        newer.write_bytes(spoil(whole))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = load_checkpoint(tmp_path)
        assert same(found, state(found["step"])), "numbers that nobody saved"
        if found["step"] == 1:
            fell_back.append(spoil)
            assert any(newer.name in str(w.message) for w in said), "nothing was said"
        assert older.read_bytes() == before

    check()
    assert len(fell_back) > examples // 4
    held = f"{len(fell_back)} times the one before, and said so; else every bit as saved"
    fault("spoilt newest checkpoint (hypothesis)", examples, held)


def test_both_checkpoints_bad_and_foreign_ones(tmp_path: Path, fault: Callable[..., None]):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, state(step))
    files = sorted((tmp_path / "checkpoint").glob("step-*.pt"))
    for name, content in {
        "empty": b"",
        "pickled": pickle.dumps(Evil()),
        "a list": pickle.dumps([1, 2]),
        "noise": bytes(range(256)) * 9,
    }.items():
        for file in files:
            file.write_bytes(content)
        with warnings.catch_warnings(action="ignore"):
            with pytest.raises(BadInput, match="got 2 that cannot") as error:
                load_checkpoint(tmp_path)
        assert "\n" not in str(error.value), name
        assert [f.read_bytes() for f in files] == [content] * 2, "overwritten"
    torch.save({"step": 3, "evil": Evil()}, files[1])
    with warnings.catch_warnings(action="ignore"), pytest.raises(BadInput):
        load_checkpoint(tmp_path)
    assert not Path("executed").exists()
    fault("both checkpoints bad, pickled, foreign", 5, "one line, nothing overwritten or executed")


@pytest.mark.parametrize("examples", EXAMPLES)
def test_spoilt_weights(examples: int, tmp_path: Path, fault: Callable[..., None]):
    """Refused, or every number as it was written."""
    net = nn.Linear(30, 20)
    save_weights(net, tmp_path, 5)
    path = tmp_path / "weights.safetensors"
    whole, refused = path.read_bytes(), []

    @settings(max_examples=examples, deadline=None, suppress_health_check=QUIET, derandomize=True)
    @given(damage())
    def check(spoil: Callable[[bytes], bytes]) -> None:
        path.write_bytes(spoil(whole))
        fresh = nn.Linear(30, 20)
        before = fresh.weight.detach().clone()
        try:
            load_weights(fresh, tmp_path)
        except BadInput as error:
            assert "\n" not in str(error)
            assert torch.equal(before, fresh.weight), "half of it was read"
            refused.append(spoil)

    check()
    fault(
        "spoilt weights (hypothesis)",
        examples,
        f"{len(refused)} refused in a line, nothing half read",
    )


def test_weights_of_another_network(tmp_path: Path, fault: Callable[..., None]):
    others = {
        "another size": {"weight": torch.zeros(3, 3), "bias": torch.zeros(3)},
        "another name": {"w": torch.zeros(20, 30), "bias": torch.zeros(20)},
        "one too many": {"weight": torch.zeros(20, 30), "bias": torch.zeros(20), "c": torch.zeros(1)},
        "one too few": {"weight": torch.zeros(20, 30)},
        "none": {},
    }  # fmt: skip
    for name, tensors in others.items():
        save_file(tensors, tmp_path / "weights.safetensors")
        with pytest.raises(BadInput, match="expected the weights of Linear") as error:
            load_weights(nn.Linear(30, 20), tmp_path)
        assert "\n" not in str(error.value), name
    assert load_file(tmp_path / "weights.safetensors") == {}
    fault("weights of another network", len(others), "one line: which, expected, got")
