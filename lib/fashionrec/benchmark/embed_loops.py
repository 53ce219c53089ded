"""What embedding costs without Spark: processes of one thread each, as Spark's tasks are."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier

from fashionrec.benchmark.report import seconds_of
from fashionrec.embed.decode import as_pixels
from fashionrec.embed.encode import Seconds, encode_pictures
from fashionrec.embed.encoder import Program

_PATIENCE = 120  # seconds that a process waits for the others, which may have failed
_barriers: list[Barrier] = []


@dataclass(frozen=True)
class Loop:
    """What a process did: pictures, seconds, and seconds of decoding."""

    pictures: int
    seconds: float
    decode: float = 0.0


Work = Callable[[Program, list[bytes]], Loop]


@dataclass(frozen=True)
class Pace:
    """Pictures per second of all processes together; decode: what decoding alone would reach."""

    per_s: float
    decode_per_s: float | None


def pace_of(work: Work, program: Program, contents: list[bytes], processes: int) -> Pace:
    """Let each process do `work` on its part of the pictures, all at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    parts = [contents[i::processes] for i in range(processes)]
    with ProcessPoolExecutor(processes, context, _meet_at, (barrier,)) as pool:
        loops = list(pool.map(work, [program] * processes, parts))
    pictures, decode = sum(loop.pictures for loop in loops), sum(loop.decode for loop in loops)
    return Pace(
        per_s=pictures / max(loop.seconds for loop in loops),
        decode_per_s=processes * pictures / decode if decode else None,
    )


def _meet_at(barrier: Barrier) -> None:
    _barriers.append(barrier)


def network_alone(program: Program, contents: list[bytes]) -> Loop:
    """Encode batches that are decoded beforehand: whole ones, over and over."""
    encoder, size = program.load(1), program.batch_size
    pixels = [as_pixels(content, program.preprocessing) for content in contents[:size]]
    batches = [pixels] * max(1, len(contents) // size)
    encoder.encode(pixels)
    _barriers[0].wait(_PATIENCE)
    seconds = seconds_of(lambda: [encoder.encode(batch) for batch in batches])
    return Loop(len(pixels) * len(batches), seconds)


def bare_loop(program: Program, contents: list[bytes], *, reduced: bool = True) -> Loop:
    """Decode and encode, with the same pipeline as the job's."""
    encoder, spent = program.load(1), Seconds()
    decode = partial(as_pixels, preprocessing=program.preprocessing, reduced=reduced)
    encoder.encode([decode(contents[0])])
    loop = encode_pictures(enumerate(contents), decode, encoder, 1, spent)
    _barriers[0].wait(_PATIENCE)
    seconds = seconds_of(lambda: list(loop))
    return Loop(len(contents), seconds, spent.decode)
