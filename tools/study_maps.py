"""The study of chapter 36 that looks at maps of trust: are they right, and a few to be seen."""

from copy import deepcopy
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from study_worlds import misaligned_phantoms, shrink
from torch import nn

from mr2ct.ladder import find_entry
from mr2ct.meta_reweighting import MetaUNet, agreement, clean_gradient, normalise, split_clean
from mr2ct.training import Method, Profile, fit, write_text
from mr2ct.trust import map_quality, read_probe

PATHS = ("rival_plain", "meta")


def pooled(u: torch.Tensor, side: int) -> torch.Tensor:
    return F.avg_pool2d(u, side, 1, side // 2, count_include_pad=False)


TREATMENTS = {
    "raw": lambda u: u,
    "smooth_5": lambda u: pooled(u, 5),
    "smooth_9": lambda u: pooled(u, 9),
    "sign": torch.sign,
    "sign_smooth_5": lambda u: pooled(u.sign(), 5),
}


class MapWatch:
    """Judges maps of trust while a network learns: by how many trusted slices, smoothed, as signs, over time.

    Args:
        seen: slices to judge, from `read_probe`.
        trusted: all trusted slices, from `read_probe`.
        seed: of the choice among them.
        every: steps between maps; a multiple of 10.
        steps: of the whole training.
    """

    def __init__(self, seen: dict, trusted: dict, seed: int, every: int, steps: int) -> None:
        self.seen, self.trusted, self.every, self.steps = seen, trusted, every, steps
        self.draw = torch.Generator().manual_seed(seed)
        self.rows: list[dict] = []
        self.running: dict[str, torch.Tensor] = {}
        self.still: nn.Module | None = None
        self.sums: dict[tuple[str, str, str], torch.Tensor] = {}

    def __call__(self, step: int, method: Method) -> None:
        net, few = method.net.module, self.gradient(method.net.module, 4)
        old = self.running or few
        self.running = {n: 0.9 * old[n] + 0.1 * g for n, g in few.items()}
        self.still = self.still or deepcopy(net)
        for mean, p in zip(self.still.parameters(), net.parameters(), strict=True):
            mean.data.lerp_(p.data, 0.2)
        if step % self.every:
            return
        sources = {
            "4 trusted": (net, few),
            "running mean": (net, self.running),
            "all trusted": (net, self.gradient(net, None)),
            "all, averaged network": (self.still, self.gradient(self.still, None)),
        }
        for source, (network, gradient) in sources.items():
            with torch.no_grad():
                u = agreement(network, self.seen["mr"], ct=self.seen["ct"], gradient=gradient)[0]
            u /= u.abs().mean()
            for name, treat in TREATMENTS.items():
                self.keep(step, source, name, "one moment", treat(u))
                for over in ("all", "second half") if 2 * step > self.steps else ("all",):
                    key = source, name, over
                    self.sums[key] = self.sums.get(key, 0) + treat(u)

    def gradient(self, net: nn.Module, count: int | None) -> dict[str, torch.Tensor]:
        """That of some of the trusted slices, drawn anew, or of all."""
        order = torch.randperm(len(self.trusted["mr"]), generator=self.draw)[:count]
        return clean_gradient(net, self.trusted["mr"][order], ct=self.trusted["ct"][order])

    def keep(self, step: int, source: str, treatment: str, over: str, u: torch.Tensor) -> None:
        place = {"step": step, "source": source, "treatment": treatment, "over": over}
        self.rows.append(place | map_quality(u, self.seen))

    def finish(self, method: Method) -> pd.DataFrame:
        """The table, with the means over moments and the residual of the trained network."""
        for (source, name, over), total in self.sums.items():
            self.keep(self.steps, source, name, over, total)
        with torch.no_grad():
            residual = (method.translate(self.seen["mr"]) - self.seen["ct"]).abs()
        self.keep(self.steps, "residual", "raw", "one moment", residual.max() - residual)
        return pd.DataFrame(self.rows)


def judge_maps(profile: Profile, work: Path, seeds: tuple[int, ...]) -> pd.DataFrame:
    """AUROC of maps along a plain training and along a reweighted one; some weights of the latter are kept to be seen."""
    table, small = misaligned_phantoms(work / "data", profile), shrink(profile)
    learned, clean = split_clean(table)
    off = learned[[int(name[-4:]) % 4 > 0 for name in learned["id"]]]
    seen, trusted, tables = read_probe(off, 2), read_probe(clean, 12), []
    for path, seed in product(PATHS, seeds):
        kept, run = work / f"{path}-seed{seed}.csv", work / f"{path}-run{seed}"
        if not kept.exists():
            torch.manual_seed(seed)
            method = find_entry(path).build(2, small)
            batches = method.batches(table, small, seed, work / "cache")
            every = max(10, method.steps // 320 * 10)
            watch = MapWatch(seen, trusted, seed, every, method.steps)
            fit(method, batches, steps=method.steps, run_dir=run, resume=False, watch=watch)
            rows = watch.finish(method).assign(path=path, seed=seed)
            write_text(kept, rows.to_csv(index=False))
        tables.append(pd.read_csv(kept))
    record_weights(table, off, small, work)
    return pd.concat(tables)


def record_weights(table: pd.DataFrame, off: pd.DataFrame, profile: Profile, work: Path) -> None:
    """Weights of raw and useful reweighting on two slices of three cases at eight moments each: `keep/maps.npz`, small."""
    file, seen, films = work / "keep" / "maps.npz", read_probe(off[:3], 2), {}
    if file.exists():
        return
    trusted, moments = read_probe(split_clean(table)[1], 24), {}

    def look(step: int, method: MetaUNet, film: dict[int, torch.Tensor], when: np.ndarray) -> None:
        if step in when:
            net = method.net.module
            gradient = clean_gradient(net, trusted["mr"], ct=trusted["ct"])
            with torch.no_grad():
                u = agreement(net, seen["mr"], ct=seen["ct"], gradient=gradient)[0]
            film[step] = normalise(method.shape(u), method.floor)[:, 0]

    for name in ("meta_raw", "meta"):
        torch.manual_seed(0)
        method, films[name] = find_entry(name).build(2, profile), {}
        weighed = range(10 * (method.lead // 10 + 1), method.steps, 10)
        watched = np.array([*weighed, method.steps])
        moments[name] = watched[np.linspace(0, len(watched) - 1, 8).round().astype(int)]
        batches = method.batches(table, profile, 0, work / "cache")
        watch = partial(look, film=films[name], when=moments[name])
        fit(method, batches, steps=method.steps, run_dir=work / name, resume=False, watch=watch)
    halved = lambda x: F.avg_pool2d(x[:, None].float(), 2)[:, 0]  # small: a quarter of the pixels
    top = lambda w: (w / w.quantile(0.98).clamp(min=1e-12)).clamp(0, 1)
    levels = lambda w: (halved(top(w)) * 15).round().mul(17).byte().numpy()  # 16 of them
    grey = ((seen["ct"][:, 0] + 0.7) / 0.7).clamp(0, 1)
    file.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        file,
        steps=np.stack(list(moments.values())),
        names=np.array(list(films)),
        weights=np.stack(
            [[levels(film[k]) for k in moments[name]] for name, film in films.items()]
        ),
        ct=(255 * grey).byte().numpy(),
        moved=halved(10 * seen["moved"][:, 0]).clamp(max=255).byte().numpy(),
        wrong=seen["wrong"][:, 0].numpy(),
        body=seen["body"][:, 0].numpy(),
        case=np.array([name for name, _ in seen["key"]]),
        slice=np.array([z for _, z in seen["key"]]),
    )
