"""The figure of the honest protocol that stands beside one of a protocol that leaks."""

import json
import shlex
from pathlib import Path

from affectkeras.given import without_option
from affectkeras.wording import signed, signed_interval

LEAKY_PROTOCOLS = ("paper",)


def honest_counterpart(run: Path, result: dict) -> dict:
    """Return what the same recipe reached on the same data under a protocol that does not leak.

    Looks through the run folders beside `run` for complete ones of the same recipe, data set and
    kind of run (sample, quick); of several the newest counts.

    Args:
        run: the run folder of the leaky result.
        result: its `recipe`, `dataset` and `command`.

    Returns:
        `{"run", "protocol", "arms": {arm: {"mean", "ci95"}}}` of the test accuracy (of number
        targets of the CCC, for `<arm> <target>`, with `"metric": "ccc"`), or `{"not_run": command}`
        with the command that makes it.
    """
    newest, when = None, -1
    for path in Path(run).resolve().parent.glob("*/result.json"):
        try:
            other = json.loads(path.read_text(encoding="utf-8"))
            written = path.stat().st_mtime_ns
        except (OSError, ValueError):
            continue  # a folder that is no run of ours, or is being written
        if _is_counterpart(other, result) and written > when:
            newest, when = (path.parent.name, other), written
    if newest is None:
        return {"not_run": _honest_command(result["command"])}
    name, other = newest
    arms = {}
    for arm, found in other["arms"].items():
        arms |= _figures(arm, found["test"])
    return {"run": name, "protocol": other["protocol"]["name"], "arms": arms}


def honest_words(found: dict) -> str:
    """Say in a sentence what `honest_counterpart` found."""
    if "not_run" in found:
        return f"The honest protocol has not been run beside this: {found['not_run']}"
    figures = []
    for arm, one in found["arms"].items():
        low, high = one["ci95"]
        if "metric" in one:
            interval = signed_interval(one) if low is not None else ""
            figures.append(
                f"{arm} {one['metric'].upper()} {signed(one['mean'], 3)} {interval}".rstrip()
            )
            continue
        interval = "" if low is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
        figures.append(f"{arm} {100 * one['mean']:.1f} %{interval}")
    return (
        f"Protocol {found['protocol']}, which does not leak ({found['run']}): {', '.join(figures)}"
    )


def _figures(arm: str, test: dict) -> dict:
    """Return what stands for an arm: its accuracy, or the CCC of each of its number targets."""
    wanted = {arm: (test.get("accuracy"), {})}
    if "targets" in test:
        wanted = {
            f"{arm} {target}": (found["ccc"], {"metric": "ccc"})
            for target, found in test["targets"].items()
        }
    return {
        name: {key: found.get(key) for key in ("mean", "ci95")} | more
        for name, (found, more) in wanted.items()
    }


def _is_counterpart(other: dict, result: dict) -> bool:
    try:
        alike = all(
            other["dataset"][name] == result["dataset"][name]
            for name in ("name", "sample", "quick")
        ) and other["dataset"].get("rating") == result["dataset"].get("rating")
        honest = other["protocol"]["name"] not in LEAKY_PROTOCOLS
        return alike and honest and other["status"] == "complete" and (
            other["recipe"] == result["recipe"]
        )  # fmt: skip
    except (KeyError, TypeError):
        return False


def _honest_command(command: str | list[str]) -> str:
    words = shlex.split(command) if isinstance(command, str) else list(command)
    # Without a protocol every recipe takes an honest one.
    return shlex.join(without_option(without_option(words, "--run-dir"), "--protocol"))
