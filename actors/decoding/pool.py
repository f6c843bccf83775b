"""The decoders: a bounded pool of workers, one of them warm, and a bounded queue before it."""

import logging
from functools import partial

import trio

from .config import DecodersConfig
from .errors import Busy, DecoderFailed, TooLarge, Undecodable
from .jobs import Converted, Document, Job
from .launch import MB, launch
from .process import WorkerNotReady, WorkerProcess
from .sniff import sniff
from .stats import DecoderStats

__all__ = ["Decoders"]

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds; the least that a caller is asked to wait


class Decoders:
    """Converts files in worker processes. `run` it in the main thread, under supervision."""

    def __init__(self, config: DecodersConfig | None = None, stats: DecoderStats | None = None) -> None:
        self.stats = stats or DecoderStats()
        self._config = config or DecodersConfig()
        self._slots = trio.Semaphore(self._config.workers)
        self._idle: list[WorkerProcess] = []
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus["Decoders"] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the workers; `started` when the first is warm. Cancelling kills them: files in hand fail.

        Raises a group with WorkerNotReady, or the system's error, when the first does not get warm.
        """
        try:
            async with trio.open_nursery() as self._nursery:
                self._idle.append(await self._start())
                task_status.started(self)
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._idle.clear()

    async def convert(self, job: Job, data: bytes) -> Converted:
        """Have a file converted.

        Raises Undecodable, TooLarge, DecoderFailed, and Busy when it was not even begun.
        """
        if isinstance(job, Document):
            return Converted(data=data, mime_type=sniff(data) or "application/octet-stream")
        if not data:
            raise Undecodable("the file is empty")
        await self._take_slot()
        try:
            worker = await self._worker()
            return await self._work(worker, job, data)
        finally:
            self._slots.release()

    async def _take_slot(self) -> None:
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            if self.stats.waiting >= self._config.queue:
                raise self._busy() from None
            self.stats.waiting += 1
            try:
                await self._slots.acquire()
            finally:
                self.stats.waiting -= 1

    def _busy(self) -> Busy:
        self.stats.turned_away += 1
        each = self.stats.seconds / max(1, self.stats.jobs)
        return Busy(max(RETRY, round(each * (self.stats.waiting + 1) / self._config.workers, 1)))

    async def _worker(self) -> WorkerProcess:
        """One that has nothing in hand; a new one when there is none."""
        while self._idle:
            worker = self._idle.pop()
            if worker.usable:
                return worker
        if self._nursery is None:
            raise self._busy()
        try:
            return await self._start()
        except (WorkerNotReady, OSError) as error:
            log.warning("decoder_not_started reason=%s", error)
            raise self._busy() from error

    async def _start(self) -> WorkerProcess:
        """Raises WorkerNotReady and OSError."""
        assert self._nursery is not None
        config = self._config
        worker = WorkerProcess(
            *launch(
                memory=config.memory_mb * MB,
                timeout=config.timeout,
                max_pixels=config.max_pixels,
                max_seconds=config.max_seconds,
            ),
            timeout=config.timeout,
        )
        await self._nursery.start(partial(self._keep, worker))
        self.stats.started += 1
        return worker

    async def _keep(self, worker: WorkerProcess, *, task_status: trio.TaskStatus[None]) -> None:
        self.stats.workers += 1
        try:
            await worker.run(task_status=task_status)
        finally:
            self.stats.workers -= 1
        if not worker.retired:
            self.stats.restarts += 1
            log.warning("decoder_died pid=%s reason=%s", worker.pid, worker.reason)
        await trio.sleep(RETRY)  # a file that comes meanwhile starts its own
        if self.stats.workers == 0:
            await self._warm()

    async def _warm(self) -> None:
        """Have one worker ready, though nobody needs it yet."""
        try:
            self._idle.append(await self._start())
        except (WorkerNotReady, OSError) as error:
            log.warning("decoder_not_started reason=%s", error)  # the next file tries again

    async def _work(self, worker: WorkerProcess, job: Job, data: bytes) -> Converted:
        stats = self.stats
        stats.busy += 1
        stats.jobs += 1
        began = trio.current_time()
        try:
            return await worker.convert(job, data)
        except (Undecodable, TooLarge):
            stats.refused += 1
            raise
        except DecoderFailed as error:
            stats.failures += 1
            log.warning(
                "decoder_failed job=%s bytes=%s reason=%s", type(job).__name__, len(data), error.reason
            )
            raise
        finally:
            stats.busy -= 1
            stats.seconds += trio.current_time() - began
            if worker.usable:
                self._put_back(worker)

    def _put_back(self, worker: WorkerProcess) -> None:
        # One was warmed while another was started on demand: then there is one too many.
        if worker.jobs >= self._config.max_jobs or self.stats.workers > self._config.workers:
            worker.retire()
        else:
            self._idle.append(worker)
