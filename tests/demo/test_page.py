import contextlib
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")

from affectkeras.media.video_frames import every_frame  # noqa: E402
from tests.demo.fake_analysis import BEFORE, CLASSES, level  # noqa: E402
from tests.demo.fake_server import FAILING_FRAMES, HELD_FRAMES, running_server  # noqa: E402
from tests.media.tiny_videos import cut_file, write_video  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium on the PATH")

WAIT_MS = 30_000
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream"),
    "--use-fake-device-for-media-stream",
)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("demo")) as address:
        yield address


@pytest.fixture(scope="module")
def address_of_classes(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("demo"), model="classes") as address:
        yield address


@contextlib.contextmanager
def opened(browser, address):
    """Yield the page; afterwards nothing may have failed in it and nobody else been asked."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(WAIT_MS)
    asked, failed = [], []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda said: said.type == "error" and failed.append(said.text))
    page.goto(address)
    page.wait_for_selector(".intake[data-ready]")
    yield page
    context.close()
    foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert (foreign, failed) == ([], [])
    assert len(asked) > 10


def give(page, path):
    page.set_input_files("#file", str(path))


def wait_for_player(page, name):
    page.wait_for_function(
        "name => document.querySelector('#file-name')?.textContent === name"
        " && document.querySelector('#player').dataset.presented === '0'",
        arg=name,
    )


def wait_for_picture(page, frame):
    """Wait until the browser has put a frame on the screen, as it says itself."""
    page.wait_for_function(
        "frame => document.querySelector('#player').dataset.presented === String(frame)", arg=frame
    )


def corner_of(page):
    """Return the grey of the upper left corner of the picture that the video element shows."""
    return page.evaluate(
        "() => { const video = document.querySelector('#video'), c = document.createElement"
        "('canvas'); c.width = c.height = 1; const pen = c.getContext('2d');"
        "pen.drawImage(video, 4, 4, 1, 1, 0, 0, 1, 1); return pen.getImageData(0,0,1,1).data[0] }"
    )


def texts(page):
    names = ("frame-number", "frame-time", "reading-name", "frame-valence", "frame-arousal")
    return [page.inner_text(f"#{name}").replace("−", "-") for name in names]


def expected(row):
    numbers = [
        "–" if np.isnan(row[name]) else f"{row[name]:+.3f}" for name in ("valence", "arousal")
    ]
    return [str(row["frame"]), f"{row['time_s']:.3f}", row["sector"], *numbers]


def download(page):
    with page.expect_download() as waiting:
        page.click("#download")
    path = waiting.value.path()
    return waiting.value.suggested_filename, pd.read_csv(
        path, keep_default_na=False, na_values=[""]
    )


def test_a_video_is_stepped_through_frame_by_frame(browser, address, tmp_path):
    clip = write_video(tmp_path / "walk.mp4", 40, size=(96, 64))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "walk.mp4")
        name, table = download(page)
        assert name == "walk.csv"
        assert len(table) == 40
        assert texts(page) == expected(table.iloc[0])
        for number in range(1, 9):
            if number % 2:
                page.keyboard.press("k")
            else:
                page.click("#forward")
            wait_for_picture(page, number)
            assert texts(page) == expected(table.iloc[number])
            assert corner_of(page) == pytest.approx(level(number), abs=8)
        page.keyboard.press("j")
        wait_for_picture(page, 7)
        page.click("#back")
        wait_for_picture(page, 6)
        assert texts(page) == expected(table.iloc[6])
        assert corner_of(page) == pytest.approx(level(6), abs=8)
        assert table["sector"][BEFORE - 1] == "none"


def test_the_ends_and_the_slider(browser, address, tmp_path):
    clip = write_video(tmp_path / "ends.mp4", 12, size=(96, 64))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "ends.mp4")
        page.keyboard.press("j")
        assert page.inner_text("#frame-number") == "0"
        page.fill("#slider", "11")
        wait_for_picture(page, 11)
        page.keyboard.press("k")
        assert page.inner_text("#frame-number") == "11"
        assert corner_of(page) == pytest.approx(level(11), abs=8)
        assert page.inner_text("#frame-last") == "11"


def test_frames_of_uneven_length_are_found(browser, address, tmp_path):
    times = [0, 40, 50, 300, 310, 320, 900, 1000, 1033, 1100]
    clip = write_video(tmp_path / "uneven.mkv", 10, times_ms=times, size=(96, 64))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "uneven.mkv")
        for number in range(1, 10):
            page.keyboard.press("k")
            wait_for_picture(page, number)
            assert corner_of(page) == pytest.approx(level(number), abs=8)
            assert page.inner_text("#frame-time") == f"{times[number] / 1000:.3f}"


def test_playing_moves_on_and_pausing_stays_on_what_is_shown(browser, address, tmp_path):
    clip = write_video(tmp_path / "play.mp4", 100, size=(96, 64))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "play.mp4")
        page.keyboard.press(" ")
        page.wait_for_function("Number(document.querySelector('#frame-number').textContent) > 10")
        page.click("#play")
        stopped = int(page.inner_text("#frame-number"))
        _, table = download(page)
        assert texts(page) == expected(table.iloc[stopped])
        page.keyboard.press("k")
        wait_for_picture(page, stopped + 1)
        page.click("#play")
        page.wait_for_function("document.querySelector('#frame-number').textContent === '99'")
        page.wait_for_function("!document.querySelector('#play').classList.contains('playing')")


def test_a_click_on_the_curves_goes_there(browser, address, tmp_path):
    clip = write_video(tmp_path / "curves.mp4", 50, size=(96, 64))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "curves.mp4")
        box = page.locator("#curves").bounding_box()
        # 40 px for labels before, 16 after: the middle of 2 s is frame 25.
        page.mouse.click(box["x"] + 40 + (box["width"] - 56) / 2 + 2, box["y"] + 60)
        wait_for_picture(page, 25)
        assert page.inner_text("#frame-number") == "25"


def test_curves_and_circle_are_drawn_and_move(browser, address, tmp_path):
    clip = write_video(tmp_path / "drawn.mp4", 40, size=(96, 64))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "drawn.mp4")
        before = [pixels(page, name) for name in ("#curves", "#place")]
        for _ in range(12):
            page.keyboard.press("k")
        wait_for_picture(page, 12)
        after = [pixels(page, name) for name in ("#curves", "#place")]
        for old, new in zip(before, after, strict=True):
            assert len(np.unique(new.reshape(-1, 3), axis=0)) > 20
            assert (old != new).any()
        # The cursor stands over frame 12 of 40, in the ink's colour from top to bottom.
        x = round(40 + (after[0].shape[1] - 56) * 12 / 40)
        dark = (after[0][:, x - 2 : x + 3] < 80).all(axis=2).any(axis=1)
        assert dark.sum() > 0.6 * after[0].shape[0]


def pixels(page, selector):
    image = Image.open(io.BytesIO(page.locator(selector).screenshot()))
    return np.asarray(image.convert("RGB"))


def test_a_photo_is_one_frame_upright(browser, address, tmp_path):
    photo = tmp_path / "face.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (120, 80), (90, 120, 150)).save(photo, exif=exif)
    with opened(browser, address) as page:
        give(page, photo)
        wait_for_player(page, "face.jpg")
        size = page.evaluate("[video.videoWidth, video.videoHeight]")
        assert size == [80, 120]
        assert not page.is_visible("#forward")
        _, table = download(page)
        assert len(table) == 1
        assert texts(page) == expected(table.iloc[0])


def test_a_model_of_classes_shows_class_and_probabilities(browser, address_of_classes, tmp_path):
    clip = write_video(tmp_path / "classes.mp4", 30, size=(96, 64))
    with opened(browser, address_of_classes) as page:
        give(page, clip)
        wait_for_player(page, "classes.mp4")
        for _ in range(20):
            page.keyboard.press("k")
        wait_for_picture(page, 20)
        name, table = download(page)
        row = table.iloc[20]
        assert page.inner_text("#reading-name") == row["class_name"]
        assert page.inner_text("#frame-probability") == f"{row['probability']:.3f}"
        assert [f"p_{name}" for name in CLASSES] == list(table.columns[-len(CLASSES) :])
        assert not page.query_selector("#frame-valence")
        assert len(np.unique(pixels(page, "#place").reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("text.mp4", b"no video at all", "text.mp4: no video that can be read"),
        ("empty.mp4", b"", "empty.mp4: the file is empty"),
        ("x<b>y.png", b"\x89PNG\r\n\x1a\nbroken", "x<b>y.png: truncated: the PNG ends before"),
    ],
)
def test_a_bad_file_is_told_in_a_sentence(browser, address, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with opened(browser, address) as page:
        give(page, tmp_path / name)
        page.wait_for_selector("#status [role=alert]")
        assert told in page.inner_text("#status")
        assert not page.is_visible("#player")
        assert not page.query_selector("#status b")


def test_a_video_that_is_too_long_or_too_large_is_told(browser, address, tmp_path):
    clip = write_video(tmp_path / "long.mp4", 33, rate=1, size=(96, 64))
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(3_000_001))
    with opened(browser, address) as page:
        give(page, clip)
        page.wait_for_selector("#status [role=alert]")
        assert "more than the 0.5 minutes allowed" in page.inner_text("#status")
        give(page, large)
        page.wait_for_selector("#sending.problem")
        assert "large.mp4: 3 MB are more than the 3 MB allowed" in page.inner_text("#sending")


def test_a_video_that_was_cut_off_is_shown_as_far_as_it_goes(browser, address, tmp_path):
    clip = write_video(tmp_path / "cut.mkv", 60, size=(96, 64))
    cut_file(clip, 0.6)
    whole = sum(frame.pixels is not None for frame in every_frame(clip))
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "cut.mkv")
        assert page.inner_text("#frame-last") == str(whole - 1)


def test_a_second_upload_takes_the_place_of_the_first(browser, address, tmp_path):
    held = write_video(tmp_path / "held.mp4", HELD_FRAMES, size=(96, 64))
    clip = write_video(tmp_path / "second.mp4", 10, size=(96, 64))
    with opened(browser, address) as page:
        give(page, held)
        page.get_by_text("Held").wait_for()
        assert page.inner_text("#status .progress b") == "50%"
        give(page, clip)
        wait_for_player(page, "second.mp4")
        assert page.inner_text("#status") == ""


def test_a_page_that_is_closed_lets_go_of_the_analysis(browser, address, tmp_path):
    held = write_video(tmp_path / "held.mp4", HELD_FRAMES, size=(96, 64))
    clip = write_video(tmp_path / "other.mp4", 10, size=(96, 64))
    with opened(browser, address) as page:
        give(page, held)
        page.get_by_text("Held").wait_for()
    with opened(browser, address) as page:
        give(page, clip)
        wait_for_player(page, "other.mp4")


def test_a_defect_of_the_analysis_is_told_without_its_traceback(browser, tmp_path):
    clip = write_video(tmp_path / "defect.mp4", FAILING_FRAMES, size=(96, 64))
    with running_server(tmp_path) as address, opened(browser, address) as page:
        give(page, clip)
        page.wait_for_selector("#status [role=alert]")
        assert page.inner_text("#status") == (
            "defect.mp4: the analysis failed. The terminal of the demo tells where."
        )
    assert "ZeroDivisionError: planted" in (tmp_path / "stderr.txt").read_text()


def test_the_webcam_gives_a_photo_and_a_video(browser, address):
    with opened(browser, address) as page:
        page.click("#camera-open")
        page.wait_for_function("document.querySelector('#camera-view').videoWidth > 0")
        page.click("#camera-photo")
        wait_for_player(page, "webcam.png")
        page.click("#camera-open")
        page.wait_for_function("document.querySelector('#camera-view').videoWidth > 0")
        page.click("#camera-record")
        page.wait_for_function("document.querySelector('#camera-time').textContent === '2 s'")
        page.click("#camera-record")
        page.wait_for_function(
            "document.querySelector('#file-name').textContent.startsWith('webcam.') &&"
            "document.querySelector('#file-name').textContent !== 'webcam.png'"
        )
        wait_for_picture(page, 0)
        assert int(page.inner_text("#frame-last")) > 5
        assert not page.is_visible("#camera")
        page.keyboard.press("k")
        wait_for_picture(page, 1)


def test_the_note_of_the_model_is_shown_as_it_is(browser, address):
    with opened(browser, address) as page:
        assert page.inner_text("#note") == "Sample model: what it reads <means> nothing."


def test_no_address_of_another_host_is_in_our_files():
    web = Path(__file__).resolve().parents[2] / "affectkeras" / "demo" / "web"
    files = sorted(web.iterdir())
    assert len(files) == 6
    assert not [file.name for file in files if "://" in file.read_text("utf-8")]
