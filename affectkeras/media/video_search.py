"""Which packets of a video must be decoded so that the wanted frames come out exactly.

Presentation times stand on the packets, so what a time shows is known before anything is decoded.
A group of pictures (from one keyframe to the next) in which nothing is wanted is dropped; of the
others, everything behind the last wanted frame is dropped, and of what comes before it the frames
that no other frame builds on. Over stretches longer than a group the file is not read but sought
through.
"""

import bisect
from collections import deque
from collections.abc import Iterator, Sequence

import av

from affectkeras.media.video import frame_pixels
from affectkeras.media.video_decoding import DAMAGED, Found, decode_before, stands_alone
from affectkeras.media.video_pass import VideoPass

_FIRST_GROUP_S = 12.0  # taken for the length of a group of pictures until one was seen
_LEAST_SEEK = 8  # frames; over fewer, reading on is quicker than seeking
_MOST_REORDERED = 17  # H.264 and HEVC allow 16 pictures between coding and showing
_HELD_BYTES = 64 * 1024**2
_HELD_PACKETS = 4000
_MOST_FAILED_RESCUES = 10


class NotByPackets(Exception):
    """The packets do not tell when they are shown, or their keyframes are none: decode it all."""


class FrameSearch:
    """Looks for what a video shows at some ticks.

    Args:
        video: opened, at its beginning.
        ticks: ascending.
    """

    def __init__(self, video: VideoPass, ticks: Sequence[int]):
        self.video, self.ticks = video, ticks
        self.done = 0  # ticks for which a result was given out
        self._next = 0  # the first tick of which is not known which frame it shows
        self._sought = -1  # the tick for which was sought last
        self._group = 0  # longest group of pictures so far
        self._failed_rescues = 0
        self._latest: Found | None = None
        self._ready: deque[Found] = deque()
        self._forget_all()

    def run(self) -> Iterator[Found]:
        """Yield what is shown at each tick.

        Raises:
            NotByPackets: once it shows; the first `done` ticks are settled.
        """
        if not self.video.tells_times:
            raise NotByPackets
        self._go_to_next()
        packets = self.video.packets()
        while self._next < len(self.ticks):
            packet = next(packets, None)
            if packet is None:
                moved = self._end()
            elif packet.pts is None:
                raise NotByPackets
            else:
                moved = self._take(packet)
            if moved:
                packets = self.video.packets()
            yield from self._give_out()
        self._decode_due()
        self._drain()
        yield from self._give_out()

    def _forget_all(self) -> None:
        self._floor: int | None = None  # pictures before it cannot be decoded from here
        self._queue: list[av.Packet] = []  # read, and not given to the decoder yet
        self._held = 0  # bytes
        self._seen: list[int] = []  # when packets are shown that may be wanted, ascending
        self._wanted: deque[list[int]] = deque()  # [since, ticks that show it], not decoded yet
        self._spare: dict[int, av.VideoFrame] = {}  # decoded, and perhaps wanted
        self._unproved = False  # whether the keyframe that decoding began with must prove one
        self._last = None  # when the last picture is shown, and when it ends
        self._end_of_last = None
        self._keyframe = None

    # Reading

    def _go_to_next(self) -> None:
        """Move to a keyframe before the next tick, or stay where reading on leads there soon."""
        self._back_s, self._at_beginning = 0.0, False
        if self._is_far(self.video.first):
            self._move(self.ticks[self._next])
        else:
            self._at_beginning = True

    def _move(self, tick: int) -> None:
        self._forget_all()
        self._sought = self._next
        self._at_beginning = tick <= self.video.first or not self.video.seekable
        self.video.seek(tick)

    def _move_back(self) -> None:
        """Move further back: where the container led to, there is no keyframe before the tick."""
        self._back_s = max(1.0, 4 * self._back_s)
        self._move(self.ticks[self._next] - self.video.span(self._back_s))

    def _is_far(self, here: int) -> bool:
        if self._next >= len(self.ticks) or self._sought == self._next or not self.video.seekable:
            return False
        group = self._group or self.video.span(_FIRST_GROUP_S)
        return self.ticks[self._next] - here > max(group, _LEAST_SEEK * self.video.interval)

    def _take(self, packet: av.Packet) -> bool:
        """Note a packet and decode what has become due; return whether the place has changed."""
        if self._floor is None:
            if not packet.is_keyframe:
                return False
            if packet.pts > self.ticks[self._next] and not self._at_beginning:
                self._move_back()
                return True
            self._enter(packet)
        elif packet.pts < self._floor:
            return False
        self._note(packet)
        before = self._next
        while self._next < len(self.ticks) and self._is_settled(packet.dts):
            self._settle()
        self._decode_due()
        if packet.is_keyframe or self._next > before:
            self._drop()
        here = packet.pts if packet.dts is None else packet.dts
        if self._is_far(here):
            self._drain()
            self._back_s = 0.0
            self._move(self.ticks[self._next])
            return True
        return False

    def _enter(self, keyframe: av.Packet) -> None:
        """Begin to decode from here: no picture shown before counts."""
        self._floor = keyframe.pts
        self._unproved = not self._at_beginning or bool(self._queue)

    def _note(self, packet: av.Packet) -> None:
        if packet.is_keyframe:
            if self._keyframe is not None:
                self._group = max(self._group, packet.pts - self._keyframe)
            self._keyframe = packet.pts
        if self._last is None or packet.pts >= self._last:
            self._last = packet.pts
            self._end_of_last = packet.pts + max(packet.duration or 0, self.video.interval)
        bisect.insort(self._seen, packet.pts)
        self._queue.append(packet)
        self._held += packet.size

    def _end(self) -> bool:
        """Settle what can be at the end of the file; return whether to go on elsewhere."""
        broken = self.video.broken
        while self._next < len(self.ticks) and self._last is not None:
            if self.ticks[self._next] >= self._end_of_last:
                break
            self._settle()
        self._decode_due()
        if self._next == len(self.ticks):
            return False
        if self._last is None and not self._at_beginning:
            self._move_back()
            return True
        self._drain()
        reached = self._end_of_last
        if broken and self._sought != self._next and reached is not None:
            # Behind the damage there may be more.
            self._back_s = 0.0
            self._move(self.ticks[self._next])
            return True
        if reached is None:
            reason = "damaged: there is not one whole picture"
        elif broken:
            reason = f"damaged: nothing can be read behind {self.video.seconds(reached):.3f} s"
        else:
            reason = f"the video ends at {self.video.seconds(reached):.3f} s"
        while self._next < len(self.ticks):
            self._ready.append(Found(None, None, reason))
            self._next += 1
        return False

    # Deciding

    def _is_settled(self, dts: int | None) -> bool:
        """Return whether every picture shown at or before the next tick has been read."""
        tick = self.ticks[self._next]
        if dts is not None and dts > tick:
            return True
        return len(self._seen) - bisect.bisect_right(self._seen, tick) > _MOST_REORDERED

    def _settle(self) -> None:
        """Decide which picture the next tick shows."""
        position = bisect.bisect_right(self._seen, self.ticks[self._next]) - 1
        self._next += 1
        if position < 0:
            since = self.video.seconds(self._floor)
            reason = f"damaged: nothing can be decoded before {since:.3f} s"
            self._ready.append(Found(None, None, reason))
            return
        since = self._seen[position]
        del self._seen[:position]
        if self._wanted and self._wanted[-1][0] == since:
            self._wanted[-1][1] += 1
        elif self._latest is not None and self._latest.since == since:
            self._ready.append(self._latest)
        else:
            self._wanted.append([since, 1])
            if since in self._spare:
                self._receive(self._spare.pop(since))
        self._spare = {since: f for since, f in self._spare.items() if self._may_be_wanted(since)}

    def _may_be_wanted(self, since: int) -> bool:
        """Return whether a tick that is not settled yet may show the picture of that time."""
        if self._next >= len(self.ticks):
            return False
        position = bisect.bisect_right(self._seen, self.ticks[self._next]) - 1
        return position < 0 or since >= self._seen[position]

    # Decoding

    def _decode_due(self) -> None:
        """Decode up to the last wanted picture that has been read."""
        wanted = {since for since, _ in self._wanted}
        due = 0
        if wanted:
            due = max((i + 1 for i, p in enumerate(self._queue) if p.pts in wanted), default=0)
        if not due and (self._held > _HELD_BYTES or len(self._queue) > _HELD_PACKETS):
            due = len(self._queue) // 2 + 1  # a group too long to wait for its end
        packets, self._queue = self._queue[:due], self._queue[due:]
        for packet in packets:
            self._held -= packet.size
            whole = packet.pts in wanted or self._may_be_wanted(packet.pts)
            for frame in self.video.decode(packet, whole=whole)[0]:
                self._receive(frame)

    def _drop(self) -> None:
        """Drop what was read before a keyframe that comes no later than all that is wanted."""
        tick = self.ticks[self._next] if self._next < len(self.ticks) else None
        for position in range(len(self._queue) - 1, 0, -1):
            packet = self._queue[position]
            if packet.is_keyframe and (tick is None or packet.pts <= tick):
                self._drain()
                self._enter(packet)
                # Pictures shown before it that come after it build on what is dropped here.
                self._queue = [p for p in self._queue[position:] if p.pts >= self._floor]
                self._held = sum(p.size for p in self._queue)
                del self._seen[: bisect.bisect_left(self._seen, self._floor)]
                return

    def _receive(self, frame: av.VideoFrame) -> None:
        if self._unproved:
            if frame.pts != self._floor or not stands_alone(frame):
                raise NotByPackets
            self._unproved = False
        while self._wanted and self._wanted[0][0] < frame.pts:
            self._rescue(*self._wanted.popleft())  # it should have come out before
        if self._wanted and self._wanted[0][0] == frame.pts:
            since, times = self._wanted.popleft()
            if frame.is_corrupt:
                self._rescue(since, times)
            else:
                self._deliver(Found(since, frame_pixels(frame)), times)
        elif self._may_be_wanted(frame.pts):
            self._spare[frame.pts] = frame

    def _drain(self) -> None:
        for frame in self.video.drain()[0]:
            self._receive(frame)
        while self._wanted:
            self._rescue(*self._wanted.popleft())

    def _deliver(self, found: Found, times: int) -> None:
        self._latest = found
        self._ready.extend([found] * times)

    def _give_out(self) -> Iterator[Found]:
        while self._ready:
            self.done += 1
            yield self._ready.popleft()

    def _rescue(self, since: int, times: int) -> None:
        """Look again, by decoding everything, for a picture that did not come out as planned."""
        if self._unproved:
            raise NotByPackets
        found = None
        if self._failed_rescues < _MOST_FAILED_RESCUES:
            with VideoPass(self.video.path) as video:
                found = decode_before(video, since)
            self._failed_rescues += found is None
        self._deliver(found or Found(since, None, DAMAGED), times)
