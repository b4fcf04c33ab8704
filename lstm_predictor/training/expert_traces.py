"""Runs the experts along many sequences at once and keeps what the network reads of them."""

from collections.abc import Iterator
from typing import NamedTuple

from lstm_predictor.common import se2
from lstm_predictor.model import segments
from lstm_predictor.model.experts import COMMANDS, Experts, Learned, RECENT, RING
from lstm_predictor.model.running_model import INNOVATIONS, robot_numbers
from lstm_predictor.training.sequences import measured, recent_rows, Sequence, unbroken

import numpy as np
from numpy.typing import NDArray

import torch
from torch import Tensor

STRIDE = 4  # rows between anchors

Floats = NDArray[np.float32]


class Trace(NamedTuple):
    """What the network reads along the T rows of a sequence without pauses, and A anchors."""

    name: str
    rows: Floats  # (T, F)
    scale: Floats  # (T, 3)
    missed: Floats  # by `adapted`, at two of the ends (T, 3, 2)
    residual: Floats  # of the response (T, 3)
    anchors: NDArray[np.int32]  # rows (A,)
    used: NDArray[np.bool_]  # at the stamp of an odometry message, with a whole future (A,)
    paths: Floats  # for open and for given commands (A, 2, E, 3, S)
    variances: Floats  # log of expected squared errors, the same (A, 2, 2, E, 3, S)
    robot: Floats  # (A, .)
    changes: Floats  # of the commands that follow (A, S, 3)
    future: Floats  # poses at the ends (A, S, 3)


def traces(experts: Experts, sequences: list[Sequence], size: int = 256) -> Iterator[Trace]:
    """Yield the traces of sequences, those of like length side by side; not in their order."""
    ordered = sorted(sequences, key=lambda sequence: len(sequence.rows))
    for i in range(0, len(ordered), size):
        yield from _traces(experts, ordered[i:i + size])


@torch.inference_mode()
def _traces(experts: Experts, sequences: list[Sequence]) -> Iterator[Trace]:
    longest = max(len(sequence.rows) for sequence in sequences)
    count, horizon = len(sequences), experts.horizon
    rows = torch.zeros(count, RING + longest + horizon + STRIDE, sequences[0].rows.shape[1])
    since = np.zeros((count, longest), dtype=np.int64)
    for i, sequence in enumerate(sequences):
        rows[i, RING:RING + len(sequence.rows)] = torch.from_numpy(sequence.rows)
        since[i, :len(sequence.rows)] = unbroken(sequence)
    # Of each few rows the first at the stamp of a message, or the first.
    on_stamp = np.zeros((count, -(-longest // STRIDE) * STRIDE), dtype=bool)
    for i, sequence in enumerate(sequences):
        on_stamp[i, :len(sequence.rows)] = measured(sequence)
    offsets = on_stamp.reshape(count, -1, STRIDE).argmax(axis=2)
    scale = torch.zeros(count, longest, 3)
    missed = torch.zeros(count, longest, 3, len(INNOVATIONS))
    residual = torch.zeros(count, longest, 3)
    kept: list[list[Tensor]] = [[] for _ in range(4)]
    learned = experts.blank(count)
    for row in range(-RECENT, longest):
        if row >= 0:
            ring = rows[:, row + 1:row + 1 + RING] * recent_rows(since[:, row]).unsqueeze(2)
            scale[:, row] = experts.scale(ring)
            learned, errors, left = experts.step(learned, ring, scale[:, row])
            residual[:, row] = left[:, 0]
            missed[:, row] = errors[:, 0][:, :, list(INNOVATIONS)]
        first = row + RECENT  # of the rows of which one is an anchor
        if first % STRIDE == 0 and first < longest:
            at = first + offsets[:, first // STRIDE]
            for whole, part in zip(kept, _at(experts, learned, rows, at, since)):
                whole.append(part)
    paths, variances, robot, changes = (torch.stack(parts, dim=1) for parts in kept)
    for i, sequence in enumerate(sequences):
        length = len(sequence.rows)
        there = since[i, :length] > 0
        at = np.arange(offsets.shape[1]) * STRIDE + offsets[i]
        kept_at = (at < length) & there[np.minimum(at, length - 1)]
        at = at[kept_at]
        ends = np.minimum(at[:, None] + np.array(segments.ENDS), length - 1)
        future = se2.between(sequence.poses[at][:, None], sequence.poses[ends])
        whole = since[i, np.minimum(at + horizon, length - 1)] >= experts.rows + horizon
        yield Trace(
            sequence.name, sequence.rows[there], scale[i, :length].numpy()[there],
            missed[i, :length].numpy()[there], residual[i, :length].numpy()[there],
            (np.cumsum(there) - 1)[at].astype(np.int32),
            measured(sequence)[at] & (at + horizon < length) & whole,
            *(part[i].numpy()[kept_at] for part in (paths, variances, robot, changes)),
            future.astype(np.float32))


def _at(experts: Experts, learned: Learned, rows: Tensor, at: NDArray[np.int64],
        since: NDArray[np.int64]) -> list[Tensor]:
    """Return paths, log variances, numbers of the robot and changes of commands at rows (B,)."""
    each = torch.arange(len(at)).unsqueeze(1)
    newest = torch.from_numpy(at).unsqueeze(1) + RING
    mask = recent_rows(since[np.arange(len(at)), np.minimum(at, since.shape[1] - 1)])
    ring = rows[each, newest - RING + 1 + torch.arange(RING)] * mask.unsqueeze(2)
    asked = rows[each, newest + torch.arange(experts.horizon)][:, :, COMMANDS]
    given = torch.cat([asked, torch.ones_like(asked[..., :1])], dim=2)
    found = experts.estimated(learned)
    scale = experts.scale(ring)
    none = torch.zeros_like(given)
    paths = torch.stack([experts.paths(learned, ring, commands, found)
                         for commands in (none, given)], dim=1)
    variances = torch.stack([experts.variances(learned, scale, known)
                             for known in (False, True)], dim=1)
    changes = experts.average @ (asked - ring[:, -1:, COMMANDS])
    return [paths, variances.clamp_min(1e-12).log(), robot_numbers(found), changes]
