"""The frames of one video of ANUStressDB: which ones there should be, and what became of each."""

import dataclasses
import os
from collections.abc import Callable, Iterator

import numpy as np

from affectkeras.datasets.anu_stress_manifest import CLASS_NAMES, Clip, Recording
from affectkeras.media.clip_times import clip_times, even_times
from affectkeras.media.frame_cache import CutFrame, FrameChoice, cut_frames
from affectkeras.media.video import VideoDamaged, VideoFacts, video_facts


def read_video(
    recording: Recording,
    labels: int | None,
    frames: int,
    choice: FrameChoice,
    advance: Callable[[], object],
) -> Iterator[tuple[dict, object]]:
    """Yield (columns, CutFrame or (kind, reason)) of every frame that a video should give.

    Args:
        recording: the video.
        labels: only the first so many clips; None: all.
        frames: per clip.
        choice: what is made of each frame.
        advance: called for each frame that is cut.
    """
    facts, clips, reason = _lay_out(recording)
    wanted = [clip for clip in clips[:labels] if clip.label]
    cut: dict[Clip, list[CutFrame]] = {}
    if not reason and wanted:
        times = [even_times(clip.start_s, clip.end_s, frames) for clip in wanted]
        try:
            found = cut_frames(recording.path, np.concatenate(times), choice, on_frame=advance)
            cut = {clip: found[i * frames : (i + 1) * frames] for i, clip in enumerate(wanted)}
        except VideoDamaged as damaged:
            reason = str(damaged)
    for place, clip in enumerate(clips):
        if clip in cut:
            yield from _read_clip(recording, facts, clip, cut[clip])
            continue
        if labels and place >= labels:
            why = ("excluded", f"only the first {labels} clips of each video are taken")
        elif not clip.label:
            why = ("unlabelled", f"{recording.place} tells no label of the clip")
        else:
            why = ("damaged", reason)
        for number in range(frames):
            yield {"example_id": f"{_clip_name(recording, clip)} frame {number:02}"}, why


def _lay_out(recording: Recording) -> tuple[VideoFacts | None, list[Clip], str]:
    """Return a video's facts and clips with their times, or why there are none."""
    clips = list(recording.clips)
    if not os.path.lexists(recording.path):
        return None, clips, f"{recording.place} names it, but there is no such file"
    try:
        facts = video_facts(recording.path)
        if not np.isnan(clips[0].start_s):
            return facts, clips, ""
        spans = clip_times(
            facts.duration_s,
            len(clips),
            preparation_s=recording.preparation_s,
            gap_s=recording.gap_s,
            clip_s=recording.clip_s,
        )
    except VideoDamaged as damaged:
        told = str(damaged)
        if told.startswith("too short"):
            told += f"; {recording.place} may tell other times: preparation_s, gap_s, clip_s"
        return None, clips, told
    pairs = zip(clips, spans, strict=True)
    return facts, [dataclasses.replace(c, start_s=s[0], end_s=s[1]) for c, s in pairs], ""


def _read_clip(recording, facts, clip, found) -> Iterator[tuple[dict, object]]:
    shown = set()
    name = _clip_name(recording, clip)
    for number, frame in enumerate(found):
        if frame.path is None:
            yield {"example_id": f"{name} frame {number:02}"}, ("damaged", frame.reason)
            continue
        if frame.shown_s in shown:
            reason = f"the same picture as before: the clip has fewer than {len(found)}"
            yield {"example_id": f"{name} frame {number:02}"}, ("excluded", reason)
            continue
        shown.add(frame.shown_s)
        yield (
            {
                "example_id": f"{name} frame {number:02} at {frame.shown_s:.3f} s",
                "subject": recording.subject,
                "group": recording.subject,
                "split": "",
                "source": recording.name,
                "stress": CLASS_NAMES.index(clip.label),
                "modality": recording.modality,
                "video": recording.name,
                "clip": name,
                "clip_number": clip.number,
                "frame": number,
                "frame_number": round(frame.shown_s * (facts.rate or 1000)),
                "time_s": frame.shown_s,
                "start_s": clip.start_s,
                "end_s": clip.end_s,
                "width": frame.width,
                "height": frame.height,
            },
            frame,
        )


def _clip_name(recording: Recording, clip: Clip) -> str:
    return f"{recording.name} clip {clip.number:02}"
