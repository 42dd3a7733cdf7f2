import os
import time

import pytest

from affectkeras.demo.results import ROWS, TABLE, VIDEO, Replaced, Results


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


def finish(job, age_s=0):
    for name in (VIDEO, TABLE, ROWS):
        (job.folder / name).write_text(name)
    then = time.time() - age_s
    os.utime(job.folder / ROWS, (then, then))


def test_a_later_upload_of_a_page_replaces_the_earlier(results):
    first = results.begin("page", "/a", "a.mp4")
    other = results.begin("other", "/b", "b.mp4")
    first.check()
    second = results.begin("page", "/c", "c.mp4")
    with pytest.raises(Replaced):
        first.check()
    second.check()
    other.check()
    assert not first.folder.exists()
    assert second.folder.exists()
    assert other.folder.exists()


def test_a_job_is_taken_once_and_only_the_latest(results):
    assert results.take("page") is None
    results.begin("page", "/a", "a.mp4")
    second = results.begin("page", "/b", "b.mp4")
    assert results.take("page") is second
    assert results.take("page") is None
    assert results.begin("page", "/c", "c.mp4") is results.take("page")


def test_files_are_found_by_the_jobs_token_and_three_names(results):
    job = results.begin("page", "/a", "a.mp4")
    assert results.find(job.token, ROWS) is None
    finish(job)
    assert results.find(job.token, ROWS) == job.folder / ROWS
    (job.folder / "upload").write_text("face")
    for token, name in [(job.token, "upload"), (job.token, "../x"), ("", ROWS), ("é", ROWS)]:
        assert results.find(token, name) is None


def test_names_of_jobs_cannot_be_guessed(results):
    tokens = {results.begin("page", "/a", "a.mp4").token for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 32


def test_what_a_page_had_goes_when_it_is_closed_and_all_at_the_end(results):
    jobs = [results.begin(page, "/a", "a.mp4") for page in "abc"]
    results.end("a")
    results.end("unknown")
    assert [job.folder.exists() for job in jobs] == [False, True, True]
    results.end_all()
    assert [job.replaced.is_set() for job in jobs] == [True, True, True]
    assert not any(job.folder.exists() for job in jobs)


def test_old_results_caches_and_uploads_go_and_running_jobs_stay(results):
    old, new, running = (results.begin(page, "/a", "a.mp4") for page in "abc")
    finish(old, age_s=3700)
    finish(new, age_s=3500)
    kept = []
    for folder in (results.uploads, results.cache):
        for name, age_s in [("old", 3700), ("new", 3500)]:
            path = folder / name / "file"
            path.parent.mkdir(parents=True)
            path.write_text("face")
            os.utime(path, (time.time() - age_s,) * 2)
        kept.append(folder / "new" / "file")
    os.utime(running.folder, (0, 0))
    results.delete_old(3600)
    assert [job.folder.exists() for job in (old, new, running)] == [False, True, True]
    assert old.replaced.is_set()
    left = [*results.uploads.rglob("*"), *results.cache.rglob("*")]
    assert [path for path in left if path.is_file()] == kept
