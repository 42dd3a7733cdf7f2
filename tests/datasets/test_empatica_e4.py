"""A person's own recordings of an Empatica E4: the table of events, folders, archives, subjects."""

import json
import zipfile

import numpy as np
import pytest

from affectkeras.datasets import empatica_e4
from affectkeras.datasets.e4_events import match_recording, parse_time
from affectkeras.datasets.sample import write_sample_empatica_e4
from affectkeras.errors import UserError
from tests.tiny_e4 import START, e4_files, own_texts, write_texts

NAMES = ("Ann/evening", "Ann/morning", "Ben/morning")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def read(folder):
    table = empatica_e4.read(folder, progress=False)
    assert table.read == len(table) + len(table.rejected)
    return table


def write_own(folder, events=None):
    """Write the recordings with a table of other rows."""
    texts = own_texts()
    if events is not None:
        texts["events.csv"] = "\n".join(events)
    return write_texts(folder, texts)


def zip_files(path, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)


def test_a_row_of_the_table_is_an_example(tmp_path):
    table = read(write_own(tmp_path))
    frame = table.frame
    assert frame["recording"].tolist() == [name for name in NAMES for _ in range(2)]
    assert frame["subject"].tolist() == ["Ann"] * 4 + ["Ben"] * 2
    assert frame["group"].tolist() == frame["subject"].tolist()
    assert frame["source"].tolist() == [f"events.csv:{line}" for line in (4, 5, 2, 3, 6, 7)]
    assert frame["example_id"].tolist()[:2] == [
        f"Ann/evening stretch 0{number}" for number in (1, 2)
    ]
    assert table.class_target.name == "label"
    assert table.class_target.class_names == ("calm", "tense")
    assert frame["label"].tolist() == [0, 1] * 3
    begin = START + 1000
    assert frame[["start_s", "end_s"]].to_numpy()[:2].tolist() == [
        [begin, begin + 40],
        [begin + 40, begin + 100],
    ]
    assert [one.name for one in table.payload.recordings] == list(NAMES)
    assert table.payload.index.tolist() == [0, 0, 1, 1, 2, 2]


def test_find_tells_the_table_and_the_recordings(tmp_path):
    layout = empatica_e4.find(write_own(tmp_path))
    assert layout.events == tmp_path / "events.csv"
    assert layout.recordings == NAMES


def test_iso_times_and_unix_seconds_mean_the_same(tmp_path):
    rows = ["start,end,label,recording"]
    rows += ["2022-02-07T09:52:54+00:00,2022-02-07T10:53:14+01:00,calm,Ann/morning"]
    rows += [f'2022-02-07 09:53:14.5Z,"{START + 90}.25",tense,Ann/morning']
    table = read(write_own(tmp_path, rows))
    assert table.frame[["start_s", "end_s"]].to_numpy().tolist() == [
        [START, START + 20],
        [START + 20.5, START + 90.25],
    ]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1644227574", 1644227574.0),
        ("1.644227574e9", 1644227574.0),
        ("2022-02-07T09:52:54Z", 1644227574.0),
        ("2022-02-07T04:52:54-05:00", 1644227574.0),
        ("2022-02-07T09:52:54", None),  # of which zone?
        ("2022-02-07", None),
        ("1644227574000", None),  # ms
        ("0", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("noon", None),
    ],
)
def test_times_are_unix_seconds_or_iso_8601_with_an_offset(text, time):
    assert parse_time(text) == time


def test_a_row_of_a_subject_goes_to_the_recording_of_that_time(tmp_path):
    rows = ["subject,start,end,label"]
    rows += [f"Ann,{START + 1010},{START + 1030},calm", f"Ann,{START},{START + 9},tense"]
    rows += [f"Ben,{START + 2000},{START + 2050},calm", f"Ben,{START},{START + 50},calm"]
    table = read(write_own(tmp_path, rows))
    assert table.frame["recording"].tolist() == list(NAMES)
    assert table.frame["label"].tolist() == [0, 1, 0]
    path, kind, reason = table.rejected.iloc[0]
    assert (path, kind) == ("Ben/morning stretch 01", "damaged")
    assert "no signal at its time" in reason
    assert "Mend events.csv:5" in reason


def test_the_column_subject_says_who_wore_the_device(tmp_path):
    rows = ["recording,subject,start,end,label"]
    rows += [f"Ann/morning,P7,{START},{START + 9},a", f"Ann/morning,,{START + 9},{START + 20},b"]
    rows += [f"Ann/evening,P8,{START + 1000},{START + 1009},a"]
    table = read(write_own(tmp_path, rows))
    assert table.frame["subject"].tolist() == ["P8", "P7", "P7"]
    assert {one.subject for one in table.payload.recordings} == {"P7", "P8"}


def test_two_subjects_of_one_recording_are_refused(tmp_path):
    rows = ["recording,subject,start,end,label"]
    rows += [f"Ann/morning,P7,{START},{START + 9},a", f"Ann/morning,P8,{START + 9},{START + 20},b"]
    with pytest.raises(
        UserError, match="events.csv:3: Ann/morning is of 'P8' here, and of 'P7' in"
    ):
        read(write_own(tmp_path, rows))


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("Ann/morning", "Ann/morning"),
        ("./ANN\\Morning/", "Ann/morning"),
        ("Ann/evening.zip", "Ann/evening"),
        ("evening", "Ann/evening"),
        ("morning", None),  # of Ann or of Ben
        ("Ann", None),
        ("noon", None),
    ],
)
def test_a_recording_is_named_by_its_path_or_its_own_name(cell, name):
    assert match_recording(cell, NAMES) == name


def test_rows_of_what_is_not_there_and_recordings_without_rows_are_counted(tmp_path):
    rows = ["recording,subject,start,end,label"]
    rows += [f"Ann/noon,,{START},{START + 9},calm", f",Carl,{START},{START + 9},calm"]
    rows += [f"Ben/morning,,{START + 2000},{START + 2009},"]
    rows += [f"Ben/morning,,{START + 2010},{START + 2019},calm"]
    table = read(write_own(tmp_path, rows))
    assert table.frame["example_id"].tolist() == ["Ben/morning stretch 02"]
    assert table.rejected.to_numpy().tolist() == [
        [
            "events.csv:2",
            "damaged",
            "it names the recording 'Ann/noon', but there is none. Mend events.csv:2",
        ],
        [
            "events.csv:3",
            "damaged",
            "it names the subject 'Carl', but there is none. Mend events.csv:3",
        ],
        ["Ann/evening", "unlabelled", "no row of events.csv is about it"],
        ["Ann/morning", "unlabelled", "no row of events.csv is about it"],
        ["Ben/morning stretch 01", "unlabelled", "no label is told"],
    ]


def test_without_a_table_the_message_holds_one_to_fill_in(tmp_path):
    folder = write_own(tmp_path)
    (folder / "events.csv").unlink()
    with pytest.raises(UserError, match="Looked for events.csv; found Ann/, Ben/") as caught:
        read(folder)
    text = str(caught.value)
    assert empatica_e4.LAYOUT.strip() in text
    assert f"write it to {folder / 'events.csv'}" in text
    template = text[text.index("\nrecording,subject,start,end,label") + 1 :]
    # From the first sample of any signal; HR.csv begins ten seconds later.
    assert "Ann/morning,?,2022-02-07T09:52:54+00:00,2022-02-07T09:54:34+00:00,?" in template
    assert len(template.splitlines()) == 4

    (folder / "events.csv").write_text(template)
    with pytest.raises(UserError, match="events.csv:2: subject is still \\?. Fill it in."):
        read(folder)
    (folder / "events.csv").write_text(template.replace("?,2", "Eve,2").replace("?", "calm"))
    assert len(read(folder)) == 3


def test_presses_of_the_button_are_named_where_the_times_are_asked_for(tmp_path):
    folder = write_own(tmp_path)
    (folder / "events.csv").unlink()
    tags = folder / "Ann" / "morning" / "tags.csv"
    for text, told in (("", False), ("1644227600.00\n", True)):
        tags.write_text(text)
        with pytest.raises(UserError) as caught:
            read(folder)
        assert ("Ann/morning/tags.csv holds presses of the button" in str(caught.value)) == told


def test_zipped_recordings_are_found_at_any_depth(tmp_path):
    texts = own_texts()
    write_texts(tmp_path / "zipped", {"events.csv": texts["events.csv"]})
    for name in NAMES:
        files = {path: text for path, text in texts.items() if path.startswith(name)}
        own = {path.rpartition("/")[2]: text for path, text in files.items()}
        zip_files(tmp_path / f"zipped/{name}.zip", own)
    zip_files(tmp_path / "zipped/photos.zip", {"photo.jpg": "no recording"})
    table = read(tmp_path / "zipped")
    assert table.frame.equals(read(write_own(tmp_path / "unpacked")).frame)


def test_a_recording_zipped_and_unpacked_is_taken_once(tmp_path):
    texts = own_texts()
    write_texts(tmp_path, texts)
    own = {name: texts[f"Ben/morning/{name}"] for name in ("EDA.csv", "HR.csv")}
    zip_files(tmp_path / "Ben/morning.zip", own)
    zip_files(tmp_path / "Ben/evening.zip", {f"evening/{name}": own[name] for name in own})
    assert empatica_e4.find(tmp_path).recordings == (*NAMES[:2], "Ben/evening", "Ben/morning")


def test_a_damaged_archive_among_recordings_is_named(tmp_path):
    folder = write_own(tmp_path)
    (folder / "Ben/evening.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(
        UserError, match=r"Ben/evening.zip: expected a .zip file that can be unpack"
    ):
        read(folder)


def test_a_whole_archive_is_read_as_it_comes(tmp_path):
    zip_files(tmp_path / "mine.zip", {f"mine/{name}": text for name, text in own_texts().items()})
    assert read(tmp_path / "mine.zip").frame.equals(read(write_own(tmp_path / "folder")).frame)


def test_recordings_alone_are_read_without_a_table(tmp_path):
    folder = write_own(tmp_path)
    (folder / "events.csv").unlink()
    payload = empatica_e4.read_recordings(folder, progress=False)
    assert [(one.name, one.subject) for one in payload.recordings] == [
        (name, name[:3]) for name in NAMES
    ]
    assert payload.index.tolist() == [0, 1, 2]
    assert set(payload.irregularities["recording"]) == set(NAMES)


def test_a_single_folder_or_archive_is_a_recording(tmp_path):
    files = e4_files()
    write_texts(tmp_path / "session 1", files)
    zip_files(tmp_path / "1644227574_A0034F.zip", files)
    for place, name in (("session 1", "session 1"), ("1644227574_A0034F.zip",) * 2):
        payload = empatica_e4.read_recordings(tmp_path / place, progress=False)
        (recording,) = payload.recordings
        assert recording.name == recording.subject == name.removesuffix(".zip")
        assert recording.signals["bvp"].values.shape == (6400,)


def test_a_table_within_the_folder_of_a_recording_is_read(tmp_path):
    rows = f"recording,start,end,label\nwalk,{START},{START + 9},calm\n"
    table = read(write_texts(tmp_path / "walk", e4_files() | {"events.csv": rows}))
    assert table.frame["recording"].tolist() == ["walk"]


def test_subjects_are_guessed_by_where_the_paths_part(tmp_path):
    texts = {f"raw/data/{name}": text for name, text in own_texts().items() if "/" in name}
    payload = empatica_e4.read_recordings(write_texts(tmp_path, texts), progress=False)
    assert [one.subject for one in payload.recordings] == ["Ann", "Ann", "Ben"]


def test_a_folder_without_recordings_is_answered_with_the_layout(tmp_path):
    write_texts(tmp_path, {"events.csv": "subject,start,end,label\n", "photo.jpg": ""})
    for call in (empatica_e4.read, empatica_e4.find, empatica_e4.read_recordings):
        with pytest.raises(UserError, match="found events.csv, photo.jpg. Expected") as caught:
            call(tmp_path)
        assert empatica_e4.LAYOUT.strip() in str(caught.value)


def test_a_damaged_recording_is_named_where_recordings_are_read_alone(tmp_path):
    texts = own_texts() | {"Ann/evening/EDA.csv": "", "Ben/morning/HR.csv": "x"}
    write_texts(tmp_path, texts)
    with pytest.raises(UserError, match="EDA.csv: the file is empty") as caught:
        empatica_e4.read_recordings(tmp_path, progress=False)
    assert "(1 more recordings are damaged.)" in str(caught.value)
    table = read(tmp_path)
    assert table.frame["recording"].tolist() == ["Ann/morning"] * 2
    assert table.rejected["path"].tolist() == [
        f"{name} stretch 0{number}" for name in ("Ann/evening", "Ben/morning") for number in (1, 2)
    ]


def test_a_row_of_a_subject_whose_recording_is_damaged_is_set_aside_for_that(tmp_path):
    texts = own_texts() | {"Ann/evening/EDA.csv": ""}
    texts["events.csv"] = f"subject,start,end,label\nAnn,{START + 1000},{START + 1009},calm\n"
    table = read(write_texts(tmp_path, texts))
    assert table.rejected["path"].tolist()[-1] == "Ann/evening stretch 01"
    assert "EDA.csv: the file is empty" in table.rejected["reason"].tolist()[-1]


def test_notes_tell_labels_and_rules(tmp_path):
    notes = empatica_e4.notes(read(write_own(tmp_path)))
    assert notes[0].startswith("3 recordings of 2 subjects, 6 labelled stretches")
    assert notes[1:3] == [
        "calm: 3 stretches of 40 to 40 s, 120 s together",
        "tense: 3 stretches of 60 to 60 s, 180 s together",
    ]
    assert empatica_e4.notes(read(write_own(tmp_path)).keep(np.zeros(6, bool), "none")) == []


def test_the_sample_is_read_and_what_is_planted_in_it_is_found(tmp_path):
    write_sample_empatica_e4(tmp_path)
    table = read(tmp_path)
    assert table.class_target.class_names == ("calm", "tense")
    assert sorted(table.frame["subject"].unique()) == [f"person {n}" for n in range(1, 7)]
    assert table.rejected["kind"].tolist() == ["unlabelled"] * 2
    planted = json.loads((tmp_path / "sample_planted.json").read_text())
    told = {row["kind"]: row["file"].rpartition("/")[0] or row["note"] for row in planted}
    assert told["no row"] == table.rejected["path"][0].rpartition("/")[0]
    rows = table.payload.irregularities
    found = dict(list(rows.groupby(["signal", "kind"])))
    missing, no_beats = found["acceleration", "no file"], found["ibi", "no values"]
    assert missing["recording"].tolist() == [told["missing file"]]
    assert no_beats["recording"].tolist() == [told["no beats"]]
    (late,) = found["labels", "after the signal"].itertuples()
    assert told["beyond the end"] == f"{late.recording}, {late.count} s"
    assert found["eda", "zero"]["count"].tolist() == [1] * 6
