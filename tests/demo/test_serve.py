import http.client
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("gradio")

from affectkeras.demo.serve import demo_command, listening_socket, private_folder
from affectkeras.errors import UserError
from tests.demo.fake_server import LIMITS, ROOT, running_server
from tests.media.tiny_videos import write_video

BOUNDARY = "boundary"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    temporary = tmp_path_factory.mktemp("demo")
    with running_server(temporary) as address:
        yield urlsplit(address).netloc, temporary


def ask(server, method, path, *, headers=None, body=None):
    """Send a request whose path is not touched (no library folds `..` away)."""
    netloc, _ = server
    connection = http.client.HTTPConnection(netloc, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    headers = {"host": netloc, **(headers or {})}
    if body is not None:
        headers.setdefault("content-length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def upload(server, content, name="clip.mp4", **options):
    body = (
        f"--{BOUNDARY}\r\ncontent-disposition: form-data; name=files; filename={name}\r\n"
        "content-type: application/octet-stream\r\n\r\n"
    ).encode() + content
    body += f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    headers |= options.pop("headers", {})
    return ask(server, "POST", "/gradio_api/upload", headers=headers, body=body, **options)


def test_the_page_is_there(server):
    answer, content = ask(server, "GET", "/")
    assert answer.status == 200
    assert b"affect in a video, frame by frame" in content


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2Fetc%2Fpasswd",
        "/gradio_api/file=/proc/self/environ",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/file/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/player/../serve.py",
        "/player/..%2fserve.py",
        "/player/%2e%2e/serve.py",
        "/player//etc/passwd",
        "/static/../../../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/results/../uploads",
        "/results/x/frames.csv",
        "/results/..%2f..%2f/etc%2fpasswd",
        "/gradio_api/custom_component/1/client/component/../../../etc/passwd",
        "/gradio_api/stream/a/b/1/playlist-file",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/gradio_api/vibe-code",
        "/gradio_api/runs",
        "/login",
    ],
)
def test_no_route_reads_files_or_does_more_than_the_page_needs(server, path):
    answer, content = ask(server, "GET", path)
    assert answer.status in (403, 404)
    assert b"root:" not in content
    assert b"PATH=" not in content
    assert b"def " not in content


def test_an_upload_cannot_be_read_back(server):
    answer, content = upload(server, b"secret words")
    assert answer.status == 200
    (path,) = json.loads(content)
    assert Path(path).read_bytes() == b"secret words"
    for address in (f"/gradio_api/file={path}", f"/file={path}", f"/results/{Path(path).name}"):
        answer, content = ask(server, "GET", address)
        assert answer.status == 404
        assert b"secret" not in content


@pytest.mark.parametrize("name", ["../../../evil.mp4", "..%2fevil.mp4", "/etc/evil.mp4", ".."])
def test_an_uploads_name_leads_nowhere(server, name):
    _, temporary = server
    answer, content = upload(server, b"12", name)
    if answer.status == 200:
        (path,) = json.loads(content)
        (folder,) = temporary.glob("affectkeras-demo-*")
        assert Path(path).resolve().is_relative_to(folder / "uploads")
    else:
        assert answer.status == 400
    assert not list(temporary.glob("*evil*"))


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(server):
    answer, content = upload(server, b"", headers={"content-length": "4000000"})
    assert answer.status == 413
    assert content == b"The file is larger than the 3 MB allowed."


def test_an_upload_that_does_not_tell_its_length_is_refused(server):
    headers = {"transfer-encoding": "chunked", "content-type": "multipart/form-data; boundary=b"}
    answer, _ = ask(server, "POST", "/gradio_api/upload", headers=headers)
    assert answer.status == 411


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:80", "10.0.0.1", "", "[::1"]
)
def test_the_page_is_not_served_under_foreign_names(server, host):
    answer, content = ask(server, "GET", "/config", headers={"host": host})
    assert answer.status in (400, 421)  # 400: the server's own, of what is no name at all
    assert b"components" not in content


@pytest.mark.parametrize("origin", ["http://attacker.example", "null", "http://localhost:1"])
def test_other_pages_of_the_browser_get_no_answer(server, origin):
    for method, path in [("GET", "/config"), ("POST", "/gradio_api/queue/join")]:
        answer, _ = ask(server, method, path, headers={"origin": origin}, body=b"{}")
        assert answer.status == 403
        assert answer.getheader("access-control-allow-origin") is None


def test_every_answer_forbids_the_browser_to_ask_elsewhere(server):
    for path in ("/", "/player/player.js", "/monitoring"):
        answer, _ = ask(server, "GET", path)
        policy = answer.getheader("content-security-policy")
        assert policy.startswith("default-src 'self';")
        assert "http" not in policy
        assert answer.getheader("x-content-type-options") == "nosniff"


def join(server, data, session):
    """Call the page's events as its script does; return the last messages of the server."""
    config = json.loads(ask(server, "GET", "/config")[1])
    ids = {d["targets"][0][1]: d["id"] for d in config["dependencies"] if d["targets"]}
    known = [d["id"] for d in config["dependencies"]]
    for number in (ids["submit"], known[known.index(ids["submit"]) + 1]):
        call = {"fn_index": number, "data": [], "event_data": data, "session_hash": session}
        headers = {"content-type": "application/json"}
        body = json.dumps(call).encode()
        answer, content = ask(server, "POST", "/gradio_api/queue/join", headers=headers, body=body)
        assert answer.status == 200, content
        _, content = ask(server, "GET", f"/gradio_api/queue/data?session_hash={session}")
    return content.decode()


@pytest.mark.parametrize("path", ["/etc/passwd", "", "\x00", "../../../../etc/passwd", "/", None])
def test_a_forged_call_cannot_have_another_file_analysed(server, path):
    said = join(server, {"upload": path, "name": "<b>x</b>"}, f"forged{abs(hash(path))}")
    assert "the uploaded file is gone" in said
    assert "<b>x" not in said
    assert Path("/etc/passwd").exists()


def test_what_is_uploaded_is_deleted_once_it_is_analysed_and_all_at_the_end(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", 10)
    with running_server(tmp_path) as address:
        server = (urlsplit(address).netloc, tmp_path)
        (path,) = json.loads(upload(server, clip.read_bytes())[1])
        (folder,) = tmp_path.glob("affectkeras-demo-*")
        assert folder.stat().st_mode & 0o77 == 0
        said = join(server, {"upload": path, "name": "clip.mp4"}, "one")
        assert "/results/" in said
        assert not Path(path).exists()
        made = {file.name for file in folder.rglob("*") if file.is_file()}
        assert made == {"lock", "video.mp4", "frames.json", "frames.csv"}
    assert not list(tmp_path.glob("affectkeras-demo-*"))
    assert (tmp_path / "stderr.txt").read_text() == ""


def test_what_a_killed_server_left_is_deleted_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, fresh = tmp_path / "affectkeras-demo-left", tmp_path / "affectkeras-demo-fresh"
    for folder in (left, fresh):
        folder.mkdir()
        (folder / "face.mp4").write_bytes(b"face")
    old = time.time() - 3600
    os.utime(left, (old, old))
    with private_folder() as running:
        assert not left.exists()
        assert fresh.exists()
        os.utime(running, (old, old))
        with private_folder():
            assert running.exists()
    assert not running.exists()


def test_a_port_that_is_taken_is_told():
    with listening_socket(0) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                UserError, match=f"--port {port}: cannot be used: Address already in use"
            ),
            listening_socket(port),
        ):
            pass
        assert taken.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_told(port):
    with pytest.raises(UserError, match=f"Received: {port}"), listening_socket(port):
        pass


def test_limits_that_are_none_are_told():
    done = subprocess.run(
        [sys.executable, "-m", "affectkeras", "demo", "--max-minutes", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "error: minutes must be above 0. Received: 0.0\n")


def test_without_gradio_the_command_says_what_to_install():
    code = (
        "import sys, runpy\nsys.modules['gradio'] = None\nsys.argv = ['affectkeras', 'demo']\n"
        "runpy.run_module('affectkeras', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: demo needs gradio, which is missing. pip install 'affectkeras[demo]'\n"
    )


def test_help_needs_neither_gradio_nor_tensorflow():
    code = "import sys, runpy\nsys.argv = ['affectkeras', 'demo', '--help']\ntry:\n"
    code += "    runpy.run_module('affectkeras', run_name='__main__')\n"
    code += "except SystemExit as ended:\n    assert ended.code == 0\n"
    code += "assert not {'gradio', 'tensorflow', 'keras', 'pandas', 'av'} & set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "[RUN]" in done.stdout


def test_limits_are_told_on_the_page(server):
    config = ask(server, "GET", "/config")[1].decode()
    assert "up to 0.5 minutes long and 3 MB large" in config
    assert str(LIMITS.bytes) in config
    assert "what it reads &lt;means&gt; nothing" in config


@pytest.mark.parametrize(
    ("run", "note"),
    [(None, "Sample model, trained on this machine. Quick run."), (Path("mine"), "Quick run.")],
)
def test_the_command_serves_the_model_of_a_run_or_the_sample(monkeypatch, run, note):
    served = {}
    monkeypatch.setattr("affectkeras.demo.sample.sample_run", lambda: Path("sample"))
    monkeypatch.setattr(
        "affectkeras.video_analysis.load_video_model",
        lambda run: types.SimpleNamespace(run=run, note="Quick run."),
    )
    monkeypatch.setattr(
        "affectkeras.demo.serve.serve",
        lambda analyse, listener, **options: served.update(options, model=analyse.args[0]),
    )
    demo_command(run, limits=LIMITS)
    assert served["model"].run == (run or Path("sample"))
    assert served["note"] == note
    assert served["limits"] is LIMITS
    assert served["open_browser"] is False


def test_a_run_without_a_model_is_told(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "affectkeras", "demo", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path}: no exported model")
