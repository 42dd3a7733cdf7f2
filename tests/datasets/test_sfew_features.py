"""SFEW.xlsx: rows of names, labels and components, with what spreadsheets leave in them."""

import math

import numpy as np
import openpyxl
import pytest

from affectkeras import doctor
from affectkeras.datasets import reader, sfew, sfew_features
from affectkeras.errors import UserError


def row(name, label=1, values=range(10)):
    return [name, label, *values]


def film(number, movie="Juno"):
    return f"{movie}_00010203{number}_0000000{number}.png"


def write(path, *sheets):
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"half {number}")
        for cells in rows:
            sheet.append(cells)
    book.save(path)
    return path


def read(path):
    table = sfew_features.read(path)
    assert table.read == len(table) + len(table.rejected)
    return table


def reasons(table):
    return dict(zip(table.rejected["path"], table.rejected["reason"], strict=True))


def test_rows_become_features_classes_and_films(tmp_path):
    values = [1, 2.5, -3e-4, 0, 5, 6, 7, 8, 9, "10.5"]
    write(tmp_path / "SFEW.xlsx", [row(film(1, "OceansEleven"), 4, values), row(film(2), 7)])
    table = read(tmp_path)
    assert table.name == "sfew_features"
    assert table.frame["expression"].tolist() == [3, 6]
    assert table.target("expression").class_names == sfew.CLASS_NAMES
    assert table.frame["group"].tolist() == ["oceans", "juno"]
    assert table.groups_known
    assert set(table.frame["split"]) == {""}
    features = table.payload.arrays["features"][table.payload.index]
    assert features.dtype == np.float64
    assert features.tolist() == [[1, 2.5, -3e-4, 0, 5, 6, 7, 8, 9, 10.5], list(range(10))]


@pytest.mark.parametrize("bad", [math.nan, "NaN", None, "#NUM!", "inf"])
def test_rows_with_a_component_that_is_no_number_are_counted_and_told(tmp_path, bad):
    values = [0, 1, 2, 3, 4, bad, 6, 7, 8, 9]
    path = write(tmp_path / "SFEW.xlsx", [row(film(1), 1, values), row(film(2)), row(film(3))])
    table = read(path)
    assert len(table) == 2
    assert reasons(table) == {film(1): "not a number: PHOG 1"}
    assert table.rejected["kind"].tolist() == ["damaged"]


def test_components_that_end_a_row_early_are_told_each(tmp_path):
    path = write(tmp_path / "SFEW.xlsx", [row(film(1), 1, range(8)), row(film(2))])
    assert reasons(read(path)) == {film(1): "not a number: PHOG 4, PHOG 5"}


@pytest.mark.parametrize("label", [0, 8, 1.5, "Happy", None])
def test_labels_that_are_none_of_1_to_7_are_set_aside(tmp_path, label):
    path = write(tmp_path / "SFEW.xlsx", [row(film(1), label), row(film(2), 7)])
    assert reasons(read(path)) == {film(1): f"its label is none of 1 to 7: {label!r}"}


def test_headings_and_empty_rows_are_no_examples(tmp_path):
    headings = ["name", "label", *sfew_features.COMPONENTS]
    path = write(tmp_path / "x.xlsx", [headings, row(film(1)), [None] * 12, row(film(2))])
    assert read(path).read == 2


def test_two_sheets_are_the_two_halves(tmp_path):
    path = write(tmp_path / "SFEW.xlsx", [row(film(1))], [], [row(film(2)), row(film(3))])
    assert read(path).frame["half"].tolist() == ["half 1", "half 3", "half 3"]
    one = write(tmp_path / "one.xlsx", [row(film(1))])
    assert read(one).frame["half"].tolist() == [""]


def test_names_without_suffix_tell_films_too_and_names_that_tell_none_are_told(tmp_path):
    path = write(tmp_path / "a.xlsx", [row(film(1)[:-4]), row("still 7"), row(film(2))])
    table = read(path)
    assert table.frame["movie"].tolist() == ["Juno", "Juno"]
    assert "does not tell the film" in reasons(table)["still 7"]
    table = read(write(tmp_path / "b.xlsx", [row("still 7"), row("still 8")]))
    assert not table.groups_known
    assert table.frame["group"].tolist() == ["still 7", "still 8"]


def test_a_name_that_stands_twice_is_two_examples_of_one_film(tmp_path):
    table = read(write(tmp_path / "a.xlsx", [row(film(1)), row(film(1), 2)]))
    assert table.frame["example_id"].tolist() == [film(1), f"{film(1)} (2)"]
    assert table.frame["group"].tolist() == ["juno", "juno"]


def test_the_table_is_found_in_a_folder_below(tmp_path):
    path = write(tmp_path / "inner/SFEW.xlsx", [row(film(1))])
    assert sfew_features.find(tmp_path).table == path
    write(tmp_path / "inner/sfew copy.xlsx", [row(film(1))])
    with pytest.raises(UserError, match="holds several: .* Name one"):
        sfew_features.find(tmp_path)


def test_files_that_are_no_such_table_are_told_with_the_mend(tmp_path):
    with pytest.raises(UserError, match="there is nothing. Name SFEW.xlsx or its folder"):
        sfew_features.find(tmp_path / "nowhere")
    with pytest.raises(UserError, match="SFEW's table of features.*SFEW.xlsx"):
        sfew_features.find(tmp_path)
    (tmp_path / "SFEW.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(UserError, match="no Excel workbook that can be read .* Get it again"):
        sfew_features.find(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="this is no .xlsx file"):
        sfew_features.find(tmp_path / "notes.txt")
    path = write(tmp_path / "other.xlsx", [row(film(1), 1, range(12))])
    with pytest.raises(UserError, match="sheet 'half 1', row 1: 14 cells, where 12 are expected"):
        sfew_features.find(path)
    with pytest.raises(UserError, match="no sheet holds a row"):
        sfew_features.find(write(tmp_path / "empty.xlsx", []))


def test_the_sample_is_read_by_the_reader_and_known_as_a_sample(tmp_path):
    from affectkeras.datasets.sample.marks import find_marks
    from affectkeras.datasets.sample.sfew_table import write_sample_sfew_features

    write_sample_sfew_features(tmp_path)
    table = read(tmp_path)
    assert table.read == 675
    assert table.rejected["reason"].str.startswith("not a number: ").tolist() == [True, True]
    assert table.frame["group"].nunique() > 30
    assert find_marks(tmp_path)


def test_the_sample_tells_classes_but_not_films(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    from affectkeras.datasets.sample.sfew_table import write_sample_sfew_features

    write_sample_sfew_features(tmp_path)
    table = read(tmp_path)
    features = table.payload.arrays["features"][table.payload.index]
    classes = cross_val_score(LogisticRegression(), features, table.frame["expression"], cv=3)
    films = cross_val_score(
        LogisticRegression(max_iter=500), features, table.frame["group"].str.len(), cv=3
    )
    assert 0.3 < classes.mean() < 0.75
    commonest = table.frame["group"].str.len().value_counts(normalize=True).max()
    assert films.mean() < commonest + 0.05


def test_the_doctor_reads_the_table(tmp_path):
    write(tmp_path / "SFEW.xlsx", [row(film(n), n) for n in range(1, 8)] + [row(film(8), 9)])
    report = doctor.examine(reader("sfew_features"), tmp_path, progress=False)
    text = "\n".join(report.lines)
    assert "sheets: half 1" in text
    assert "found: 7 that can be used; published: 675 rows" in text
    assert "its label is none of 1 to 7: 9" in text
    assert "not looked for, the examples are no images" in text


def test_the_doctor_names_the_table_among_the_data_sets(capsys):
    assert doctor.doctor_command(None, None) == 0
    assert "  sfew_features" in capsys.readouterr().out
    assert doctor.doctor_command("sfew_features", None) == 0
    assert "five LPQ components, five PHOG" in capsys.readouterr().out
