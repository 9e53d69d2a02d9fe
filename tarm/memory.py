"""The peak of memory that a piece of work took."""

import ctypes
import gc
import sys
from pathlib import Path

import torch


def forget_peak(device="cpu"):
    """From here on `peak` counts anew, where the system can (CUDA, Linux); what was freed before no longer counts."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        give_back()
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass  # a system without it counts from the start of the process


def give_back():
    """Hand malloc's free heap to the system: it is kept otherwise, and a process looks larger with every run."""
    gc.collect()
    if sys.platform == "win32":
        return  # has no such heap, nor a handle on this process's own symbols
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim:
        trim(0)


def peak(device="cpu"):
    """Bytes at the peak: what PyTorch allocated on a GPU; of the whole process elsewhere, the
    interpreter and its libraries included. None where the system does not say (Windows, some containers)."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * int(status.split("VmHWM:")[1].split()[0]) if "VmHWM:" in status else None
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
