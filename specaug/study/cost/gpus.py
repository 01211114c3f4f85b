"""Kinds of GPU, as their data sheets have them. Nothing here is slow to import."""

from dataclasses import dataclass

from specaug.study.cost.laws import Number


@dataclass(frozen=True, slots=True)
class Kind:
    """A GPU by its data sheet: dense rates in FLOP/s, bandwidth in bytes/s, memory in bytes (a GB read as 10^9)."""

    bf16: float  # products in tensor cores, without sparsity
    float32: float  # outside tensor cores, as torch multiplies float32
    bandwidth: float
    memory: float
    sheet: str

    def peak(self, precision: str) -> float:
        """The highest rate of products, FLOP/s."""
        return self.bf16 if precision == "bf16" else self.float32


def kind(bf16: Number, float32: Number, bandwidth: Number, memory: Number, sheet: str) -> Kind:
    """A kind in the units of data sheets: TFLOP/s, TFLOP/s, GB/s, GB."""
    return Kind(bf16 * 1e12, float32 * 1e12, bandwidth * 1e9, memory * 1e9, sheet)


# Where a sheet gives rates with sparsity, half of them. V100 and T4 have no bf16: their rate of float32 stands for it.
GPUS = {
    "B200": kind(2250, 75, 8000, 180, "NVIDIA HGX B200 data sheet, an eighth"),
    "H200": kind(989, 67, 4800, 141, "NVIDIA H200 data sheet, SXM"),
    "H100": kind(989, 67, 3350, 80, "NVIDIA H100 data sheet, SXM"),
    "A100": kind(312, 19.5, 2039, 80, "NVIDIA A100 80GB data sheet, SXM"),
    "A100-40GB": kind(312, 19.5, 1555, 40, "NVIDIA A100 40GB data sheet, SXM"),
    "V100": kind(15.7, 15.7, 900, 32, "NVIDIA V100 data sheet, SXM2 32 GB"),
    "V100-16GB": kind(15.7, 15.7, 900, 16, "NVIDIA V100 data sheet, SXM2 16 GB"),
    "L40S": kind(362, 91.6, 864, 48, "NVIDIA L40S data sheet"),
    "L4": kind(121, 30.3, 300, 24, "NVIDIA L4 data sheet"),
    "A10": kind(125, 31.2, 600, 24, "NVIDIA A10 data sheet"),
    "T4": kind(8.1, 8.1, 320, 16, "NVIDIA T4 data sheet"),
}
