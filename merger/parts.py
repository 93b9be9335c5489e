"""The parts of a book as they lie in storage; whatever is read of them is verified."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from e2a.plan import Blob, Part, Plan, Sidecar
from e2a.storage import ObjectStore, keys, read_sidecar
from merger import ffmpeg
from merger.faults import CorruptParts


class Parts:
    """All parts of a book. Every method raises `Retryable` when storage cannot be reached.

    Args:
        plan: of the book.
        store: where they are.
    """

    def __init__(self, plan: Plan, store: ObjectStore) -> None:
        self._plan = plan
        self._store = store
        self._bitrate = plan.output.bitrate

    @cached_property
    def sidecars(self) -> tuple[Sidecar, ...]:
        """One for each part, in reading order, all of one sample rate.

        Raises:
            CorruptParts: some are not there, do not fit their parts, or have another sample rate than most.
        """
        found = {part.index: self._sidecar(part) for part in self._plan.parts}
        rates = Counter(sidecar.sample_rate for sidecar in found.values() if sidecar)
        usual = rates.most_common(1)[0][0] if rates else None
        sidecars = {index: sidecar for index, sidecar in found.items() if sidecar and sidecar.sample_rate == usual}
        if lost := [part for part in self._plan.parts if part.index not in sidecars]:
            raise CorruptParts(lost)
        return tuple(sidecars.values())

    @property
    def sample_rate(self) -> int:
        """In hertz; raises as `sidecars`."""
        return self.sidecars[0].sample_rate

    def samples(self, parts: Iterable[Part]) -> int:
        """Return how long some parts are together; raises as `sidecars`."""
        return sum(self.sidecars[part.index].samples for part in parts)

    def aac(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """Yield the strict ADTS AAC of each part.

        Raises:
            CorruptParts: it is missing or damaged.
        """
        for part in parts:
            blob = self.sidecars[part.index].aac[self._bitrate]
            yield self._verified(part, keys.part_audio(part.digest, self._bitrate), blob)

    def pcm(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """Yield the samples of the master of each part, 16-bit little-endian.

        Raises:
            CorruptParts: it is missing or damaged, or holds another number of samples than its sidecar says.
            AssemblyFailed: ffmpeg failed.
        """
        for part in parts:
            sidecar = self.sidecars[part.index]
            samples = ffmpeg.decode(self._verified(part, keys.part_master(part.digest), sidecar.master))
            if len(samples) != 2 * sidecar.samples:
                raise CorruptParts([part])
            yield samples

    def corrupt(self, known: Iterable[Part]) -> list[Part]:
        """Return all parts that are missing or damaged, also those that are known to be, in reading order.

        Every byte of the others is read for that, so that the whole book is mended at once.
        """
        bad = {part.index for part in known}
        return [part for part in self._plan.parts if part.index in bad or not self._is_intact(part)]

    def _is_intact(self, part: Part) -> bool:
        sidecar = self._sidecar(part)
        if sidecar is None:
            return False
        try:
            self._verified(part, keys.part_audio(part.digest, self._bitrate), sidecar.aac[self._bitrate])
            self._verified(part, keys.part_master(part.digest), sidecar.master)
        except CorruptParts:
            return False
        return True

    def _sidecar(self, part: Part) -> Sidecar | None:
        sidecar = read_sidecar(self._store, part.digest, self._bitrate)
        return sidecar if sidecar and len(sidecar.sentences) == len(part.sentences) else None

    def _verified(self, part: Part, key: str, blob: Blob) -> bytes:
        try:
            data = self._store.get(key)
        except KeyError as error:
            raise CorruptParts([part]) from error
        if hashlib.sha256(data).hexdigest() != blob.sha256:
            raise CorruptParts([part])
        return data
