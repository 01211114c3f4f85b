"""What SpecAugment costs beside a plain copy of its input: ours, and every peer that is installed.

    python benchmarks/transform.py                       # one thread, then two, each in a process of its own
    python benchmarks/transform.py --threads 1 --tsv     # tab-separated
    python benchmarks/transform.py --seconds 20 --only ours
    python benchmarks/transform.py --device cuda         # ours on a GPU, beside its bandwidth

32 utterances of 800 to 1600 frames, 80 mel channels, float32, policy LD; draws are inside the timing. All take
turns with `x.clone()`, and a row is the median of the calls that no other process disturbed: those that waited
for a CPU do not count. malloc keeps what is freed, so that nobody pays for pages. A peer that is not installed
is left out with the reason.

On a device it is 256 utterances of up to 3000 frames, between CUDA events: a call alone, waited for, and one of many
in a row. Draws are made on the host within the timing, unless a row says otherwise. A copy reads and writes each byte once; the
share is that of its bandwidth, as if each call did the same.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from specaug import LD, Policy, TimeWarp, apply, draw, engine_for, make_keys
from specaug.augment.engines import OVERRIDE

BATCH, TIME, MEL = 32, 1600, 80
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
WAIT = 0.05  # the share of a call that each thread may spend waiting for a CPU

Call = Callable[[], object]


def ours(x: Tensor, lengths: Tensor) -> dict[str, Call]:
    """The public draw and apply, with each engine that is here; plain ones draw in plain torch as well."""
    keys = make_keys(0, 0, [f"u{i}" for i in range(BATCH)])
    masks = Policy(tuple(step for step in LD.operations if not isinstance(step, TimeWarp)))
    out = torch.empty_like(x)

    def call(policy: Policy, engine: str, into: Tensor | None = None) -> Call:
        def run() -> Tensor:
            os.environ[OVERRIDE] = engine  # an argument of `apply` would leave drawing as it is
            return apply(x, lengths, draw(policy, lengths, MEL, keys), out=into)

        return run

    by_mean = Policy(tuple(replace(step, fill="mean") for step in masks.operations))
    policies = {"warp + masks": LD, "masks": masks, "masks by mean": by_mean}
    policies["warp + masks by mean"] = Policy((LD.operations[0], *by_mean.operations))
    calls: dict[str, Call] = {}
    for name, policy in policies.items():
        for engine in dict.fromkeys((engine_for(x), "plain")):
            calls[f"ours, {name}, {engine}"] = call(policy, engine)
            calls[f"ours, {name}, {engine}, out="] = call(policy, engine, out)
    return calls


def torchaudio(x: Tensor, lengths: Tensor) -> dict[str, Call]:  # noqa: ARG001 (as the others)
    """Masks alone; it has no time warp, and knows no lengths."""
    from torchaudio.transforms import SpecAugment

    module = SpecAugment(2, 100, 2, 27, iid_masks=True, zero_masking=True)
    image = x.transpose(1, 2)[:, None].contiguous()
    return {"torchaudio, masks": lambda: module(image)}


def lhotse(x: Tensor, lengths: Tensor) -> dict[str, Call]:
    """Utterance by utterance; its masks know no lengths."""
    from lhotse.dataset.signal_transforms import SpecAugment

    sizes = {"features_mask_size": 27, "num_frame_masks": 2, "max_frames_mask_fraction": 1.0, "p": 1.0}
    warp, masks = SpecAugment(time_warp_factor=80, **sizes), SpecAugment(time_warp_factor=None, **sizes)
    rows = torch.arange(BATCH)
    segments = torch.stack([rows, torch.zeros_like(rows), lengths], dim=1).int()
    return {"lhotse, warp + masks": lambda: warp(x, segments), "lhotse, masks": lambda: masks(x)}


def speechbrain(x: Tensor, lengths: Tensor) -> dict[str, Call]:  # noqa: ARG001 (as the others)
    """One warp for the batch; it writes into its input, so it gets one of its own."""
    from speechbrain.augment.freq_domain import SpectrogramDrop, Warping

    warp = Warping(warp_window=80)
    time_masks = SpectrogramDrop(0, 101, 2, 3, dim=1)
    freq_masks = SpectrogramDrop(0, 28, 2, 3, dim=2)
    own = x.clone()
    return {
        "SpeechBrain, warp + masks": lambda: freq_masks(time_masks(warp(own))),
        "SpeechBrain, masks": lambda: freq_masks(time_masks(own)),
    }


def espnet(x: Tensor, lengths: Tensor) -> dict[str, Call]:
    """A warp of each utterance, masks that know no lengths; it writes into its input."""
    from espnet2.asr.specaug.specaug import SpecAug

    def module(warp: bool) -> SpecAug:
        widths = {"freq_mask_width_range": 27, "time_mask_width_range": 100}
        return SpecAug(apply_time_warp=warp, time_warp_window=80, num_freq_mask=2, num_time_mask=2, **widths)

    own, warp, masks = x.clone(), module(True), module(False)
    return {
        "ESPnet, warp + masks": lambda: warp(own, lengths),
        "ESPnet, masks": lambda: masks(own, lengths),
    }


def nemo(x: Tensor, lengths: Tensor) -> dict[str, Call]:
    """Masks alone; it has no time warp."""
    from nemo.collections.asr.modules import SpectrogramAugmentation

    module = SpectrogramAugmentation(freq_masks=2, time_masks=2, freq_width=27, time_width=100)
    image = x.transpose(1, 2).contiguous()
    return {"NeMo, masks": lambda: module(input_spec=image, length=lengths)}


def contenders(only: str) -> tuple[dict[str, Call], list[str]]:
    """What takes part, after `x.clone()`; and a line for each that cannot."""
    x = torch.randn(BATCH, TIME, MEL, generator=torch.Generator().manual_seed(0))
    lengths = torch.linspace(800, TIME, BATCH).long()
    calls: dict[str, Call] = {"x.clone()": x.clone}
    absent = []
    for make in (ours, torchaudio, lhotse, speechbrain, espnet, nemo):
        if only not in make.__name__:
            continue
        try:
            made = make(x, lengths)
            for call in made.values():
                call()
            calls |= made
        except Exception as fault:  # noqa: BLE001 (a peer may fail in any way, and the others still count)
            absent.append(f"{make.__name__}: left out ({type(fault).__name__}: {str(fault).splitlines()[0]})")
    return calls, absent


def waited() -> int:
    """The nanoseconds that this process's threads have waited for a CPU so far."""
    told = (path.read_text().split() for path in Path("/proc/self/task").glob("*/schedstat"))
    return sum(int(numbers[1]) for numbers in told)


def measure(calls: dict[str, Call], wanted: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of the undisturbed calls, all in one rotation, until each has as many as wanted or time is up."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    end = time.monotonic() + seconds
    while min(map(len, took.values())) < wanted and time.monotonic() < end:
        for name, call in calls.items():
            before, started = waited(), time.perf_counter()
            result = call()
            spent = time.perf_counter() - started
            if (waited() - before) / 1e9 <= WAIT * spent * torch.get_num_threads():
                took[name].append(1000 * spent)
            del result
    return took


def inside(threads: int, wanted: int, seconds: float, only: str) -> None:
    """One process's part: the measurements as JSON."""
    libc = ctypes.CDLL(None)
    for setting in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        libc.mallopt(setting, 2**30)
    torch.set_num_threads(threads)
    calls, absent = contenders(only)
    measure(calls, 1, seconds / 10)  # fills what malloc keeps
    print(json.dumps({"took": measure(calls, wanted, seconds), "absent": absent}))


def show(rows: Sequence[tuple[str, ...]], tsv: bool) -> None:
    """A table, tab-separated or in columns."""
    for name, *numbers in rows:
        print("\t".join([name, *numbers]) if tsv else f"{name:40}" + "".join(f"{n:>13}" for n in numbers))


def report(threads: int, took: dict[str, list[float]], absent: list[str], tsv: bool) -> None:
    """The table of one number of threads, fastest first."""
    copy = statistics.median(took["x.clone()"]) if took["x.clone()"] else float("nan")
    rows = [("call", "threads", "ms", "x clone", "calls")]
    medians = {name: statistics.median(values) for name, values in took.items() if values}
    for name, middle in sorted(medians.items(), key=lambda item: item[1]):
        rows.append((name, str(threads), f"{middle:.2f}", f"{middle / copy:.2f}", str(len(took[name]))))
    absent = absent + [f"{name}: no undisturbed call" for name in took if name not in medians]
    show(rows, tsv)
    print("".join(f"# {line}\n" for line in absent), flush=True)


def on_device(device: torch.device, shape: tuple[int, int, int], calls: int) -> list[tuple[str, ...]]:
    """The table of what a device does: milliseconds, gigabytes a second, and the share of the bandwidth of a copy."""
    batch, frames, mel = shape
    x = torch.randn(shape, device=device)
    lengths, out = torch.linspace(frames // 2, frames, batch).long(), torch.empty_like(x)
    keys = make_keys(0, 0, [f"u{i}" for i in range(batch)])
    drawn = draw(LD, lengths, mel, keys).to(device)
    rows: dict[str, Call] = {
        "copy": lambda: out.copy_(x),
        f"LD, {engine_for(x)}": lambda: apply(x, lengths, draw(LD, lengths, mel, keys), out=out),
        f"LD, {engine_for(x)}, drawn before": lambda: apply(x, lengths, drawn, out=out),
    }
    table = [("call", "ms alone", "ms in a row", "GB/s", "share")]
    copied = 0.0
    for name, call in rows.items():
        elapsed(call, device, 3)
        alone = statistics.median(elapsed(call, device, 1) for _ in range(calls))
        in_a_row = elapsed(call, device, calls)
        rate = 2 * x.numel() * x.element_size() / in_a_row / 1e6
        copied = copied or rate
        table.append((name, f"{alone:.3f}", f"{in_a_row:.3f}", f"{rate:.1f}", f"{rate / copied:.2f}"))
    return table


def elapsed(call: Call, device: torch.device, calls: int) -> float:
    """Milliseconds of one of so many calls in a row, by the device's own clock where it has one."""
    if device.type != "cuda":
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return 1000 * (time.perf_counter() - started) / calls
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / calls


def main(words: Sequence[str] | None = None) -> None:
    """Measure with each number of threads, one after the other; or on a device."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--calls", type=int, default=31, help="undisturbed calls of each (31)")
    options.add_argument("--seconds", type=float, default=60, help="at most, for each number of threads (60)")
    options.add_argument("--only", default="", help="part of a name: ours, torchaudio, lhotse, ...")
    options.add_argument("--tsv", action="store_true", help="tab-separated")
    options.add_argument("--device", type=torch.device, help="cuda, cuda:1, or cpu: ours there")
    options.add_argument("--shape", type=int, nargs=3, default=[256, 3000, 80], help="of the batch on it")
    options.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    given = options.parse_args(words)
    if given.device:
        card = torch.cuda.get_device_name(given.device) if given.device.type == "cuda" else "the host"
        print(f"# {card}, {' x '.join(map(str, given.shape))}, float32")
        show(on_device(given.device, tuple(given.shape), given.calls), given.tsv)
        return
    if given.inside:
        inside(given.inside, given.calls, given.seconds, given.only)
        return
    for threads in given.threads:
        numbers = {"--inside": threads, "--calls": given.calls, "--seconds": given.seconds}
        command = [sys.executable, __file__, *(f"{name}={number}" for name, number in numbers.items())]
        command += [f"--only={given.only}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        report(threads, **json.loads(done.stdout.splitlines()[-1]), tsv=given.tsv)


if __name__ == "__main__":
    main()
