"""Kinds of damage to the files of an Empatica E4, each in as many variants as there are seeds.

Every function changes the texts of `e4_files` by a random generator. Those of `COUNTED` return what
must be counted, `{(signal, kind): count}`; those of `REFUSED` return the file, the line (None:
the whole file) and what the message must say.
"""

import numpy as np

from tests.tiny_e4 import RATES, START

SIGNALS = {"BVP.csv": "bvp", "EDA.csv": "eda", "TEMP.csv": "temperature"}
SIGNALS |= {"HR.csv": "heart_rate", "ACC.csv": "acceleration", "IBI.csv": "ibi"}
STEADY = tuple(RATES)
WORDS = ("x", "NaN", "--", "1.2.3", "12a", "1e", "#N/A", "1_0", "null", "é", "")


def pick(random, choices):
    return str(random.choice(list(choices)))


def split(text, head=2):
    """Return the lines of the head, and those of the rows."""
    lines = text.splitlines()
    return lines[:head], lines[head:]


def join(head, rows):
    return "\n".join([*head, *rows]) + "\n"


def few(random, rows, share=0.01):
    """Return the places of so few rows that they may be damaged; never the last one's."""
    most = max(1, int(share * len(rows)))
    return random.choice(len(rows) - 1, size=random.integers(1, most + 1), replace=False)


def many(random, rows):
    size = random.integers(len(rows) // 20 + 2, len(rows) // 2)
    return random.choice(len(rows) - 1, size=size, replace=False)


def change_rows(random, texts, file, places, change):
    """Change the rows at some places; return how many, and the first one's line."""
    head, rows = split(texts[file])
    chosen = places(random, rows)
    for place in chosen:
        rows[place] = change(random, rows[place])
    texts[file] = join(head, rows)
    return len(chosen), int(min(chosen)) + len(head) + 1


def to_word(random, row):
    cells = row.split(",")
    cells[random.integers(len(cells))] = pick(random, WORDS)
    return ",".join(cells)


def to_absurd(random, row):
    value = pick(random, ["inf", "-inf", "1e300", "-1e300", "999999999", "-200000"])
    return ",".join([value] * len(row.split(",")))


def cut_rows(random, texts):
    file = pick(random, STEADY)
    head, rows = split(texts[file])
    lost = int(random.integers(11 * RATES[file], len(rows)))
    texts[file] = join(head, rows[: len(rows) - lost])
    return {(SIGNALS[file], "early end"): lost}


def cut_within_a_row(random, texts):
    file = pick(random, SIGNALS)
    text = texts[file].rstrip("\n")
    last = text.rindex("\n") + 1
    texts[file] = text[: random.integers(last + 1, len(text) + 1)]
    return {(SIGNALS[file], "cut last row"): 1}


def few_words(random, texts):
    file = pick(random, STEADY)
    number, _ = change_rows(random, texts, file, few, to_word)
    return {(SIGNALS[file], "no number"): number}


def few_absurd_values(random, texts):
    file = pick(random, STEADY)
    number, _ = change_rows(random, texts, file, few, to_absurd)
    return {(SIGNALS[file], "absurd value"): number}


def rows_without_an_axis(random, texts):
    def change(random, row):
        return row.rpartition(",")[0] if random.random() < 0.5 else f"{row},1"

    number, _ = change_rows(random, texts, "ACC.csv", few, change)
    return {("acceleration", "no number"): number}


def fractions_of_counts(random, texts):
    number, _ = change_rows(
        *(random, texts, "ACC.csv", few), lambda random, row: row.replace(",", ".5,", 1)
    )
    return {("acceleration", "absurd value"): number}


def zeros(random, texts):
    file, form = pick(random, ["EDA.csv", "TEMP.csv", "HR.csv"]), pick(random, ["0", "0.00", "-0"])
    number, _ = change_rows(
        *(random, texts, file, lambda random, rows: few(random, rows, share=0.5)),
        lambda random, row: form,
    )
    return {(SIGNALS[file], "zero"): number}


def missing_sensors(random, texts):
    files = random.choice(list(SIGNALS), size=random.integers(1, 5), replace=False).tolist()
    for file in files:
        del texts[file]
    return {(SIGNALS[file], "no file"): 1 for file in files}


def heads_alone(random, texts):
    file = pick(random, SIGNALS)
    head, _ = split(texts[file], 1 if file == "IBI.csv" else 2)
    texts[file] = "\n".join(head) + pick(random, ["\n", "\r\n", "\n\n  \n"])
    return {(SIGNALS[file], "no values"): 1}


def empty_beats_or_tags(random, texts):
    file = pick(random, ["IBI.csv", "tags.csv"])
    texts[file] = pick(random, ["", "\n", "\r\n", "  \n\n"])
    return {("ibi", "no values"): 1} if file == "IBI.csv" else {}


def repeated_or_earlier_beats(random, texts):
    head, rows = split(texts["IBI.csv"], 1)
    places = random.choice(len(rows) - 1, size=random.integers(1, 9), replace=False) + 1
    for place in sorted(places.tolist(), reverse=True):
        rows.insert(place, rows[place - 1 - random.integers(min(3, place))])
    texts["IBI.csv"] = join(head, rows)
    return {("ibi", "time not later"): len(places)}


def damaged_beats(random, texts):
    head, rows = split(texts["IBI.csv"], 1)
    first, second = random.choice(len(rows) - 1, size=2, replace=False)
    rows[first] = pick(random, ["x,0.5", "0.5", "1,2,3", ",", "4.5;0.75", "nan,0.5", "2.0,x", ""])
    rows[second] = pick(random, ["-5,0.75", "90000,0.75", "5,0.01", "5,60", "5,-1", "5,inf"])
    texts["IBI.csv"] = join(head, rows)
    return {("ibi", "no number"): 1, ("ibi", "absurd value"): 1}


def odd_tags(random, texts):
    times = random.choice([START - 3600, START + 101, START + 90_000], size=random.integers(1, 4))
    words = ["x", "2022-02-07", "0", "-1", "1e3"][: random.integers(1, 6)]
    rows = [*texts["tags.csv"].split(), *map(str, times.tolist()), *words]
    texts["tags.csv"] = "\n".join(random.permutation(rows).tolist())
    return {("tags", "outside"): len(times), ("tags", "no number"): len(words)}


def other_encodings(random, texts):
    """Nothing is lost, so nothing is counted."""
    files = random.choice(list(texts), size=random.integers(1, len(texts) + 1), replace=False)
    for file in files.tolist():
        text = texts[file].replace("\n", pick(random, ["\n", "\r\n", "\r", "\r\r\n"]))
        encoding = pick(random, ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii"])
        texts[file] = (text + pick(random, ["", "\n\n", " \n"])).encode(encoding)
    return {}


def wrong_rate(random, texts):
    file = pick(random, STEADY)
    head, rows = split(texts[file])
    others = [str(rate) for rate in RATES.values() if rate != RATES[file]]
    rate = pick(random, ["0", "-1", "-64", "nan", "inf", "", "x", "6400", "0.001", *others])
    head[1] = ",".join([rate] * (3 if file == "ACC.csv" else 1))
    texts[file] = join(head, rows)
    return file, 2, "the second line must be the rate"


def missing_rate(random, texts):
    file = pick(random, STEADY)
    head, rows = split(texts[file])
    texts[file] = join(head[:1], rows)
    return file, 2, "the second line must be the rate"


def wrong_start(random, texts):
    file = pick(random, SIGNALS)
    lines = texts[file].splitlines()
    start = pick(random, ["x", "0", "-1", str(START * 1000), "2022-02-07T09:52:54Z", "nan", "inf"])
    lines[0] = ", ".join([start] * (3 if file == "ACC.csv" else 1))
    texts[file] = join([], lines)
    return file, 1, "the first line must be the start|this one is in ms"


def axes_that_start_apart(random, texts):
    head, rows = split(texts["ACC.csv"])
    starts = [START, START, START]
    starts[random.integers(3)] += int(random.integers(1, 9))
    texts["ACC.csv"] = join([", ".join(map(str, starts)), head[1]], rows)
    return "ACC.csv", 1, "the columns must start at one time"


def missing_head(random, texts):
    file = pick(random, SIGNALS)
    _, rows = split(texts[file], 1 if file == "IBI.csv" else 2)
    texts[file] = join([], rows)
    return file, 1, "the first line must be the start.* is the head missing"


def swapped_head(random, texts):
    file = pick(random, STEADY)
    head, rows = split(texts[file])
    texts[file] = join(head[::-1], rows)
    return file, 1, "the first line must be the start.* or in another order"


def start_far_off(random, texts):
    file = pick(random, SIGNALS)
    lines = texts[file].splitlines()
    apart = int(random.choice([-1, 1]) * random.integers(80, 10 ** random.integers(3, 8)))
    start = f"{START + apart}.000000"
    lines[0] = ", ".join([start] * 3) if file == "ACC.csv" else start
    texts[file] = join([], lines)
    return file, 1, f"starts \\d+ s {'after' if apart > 0 else 'before'} \\w+.csv, and files of one"


def many_words(random, texts):
    file = pick(random, STEADY)
    number, line = change_rows(random, texts, file, many, to_word)
    return file, line, f"expected (a|3) (whole )?numbers?.*and {number - 1} more of"


def many_absurd_values(random, texts):
    file = pick(random, STEADY)
    number, line = change_rows(random, texts, file, many, to_absurd)
    return file, line, f"expected .* from -?\\d+ to \\d+.*and {number - 1} more of"


def empty_file(random, texts):
    file = pick(random, STEADY)
    texts[file] = pick(random, ["", "\n", " \r\n", "\n\n\n", "\ufeff"])
    return file, None, "the file is empty"


def other_separators(random, texts):
    file = pick(random, STEADY)
    if file == "ACC.csv":
        texts[file] = texts[file].replace(",", pick(random, [";", "\t", "; "]))
    else:
        texts[file] = texts[file].replace(".", ",")
    return file, 1, "this file has semicolons, tabs or commas within numbers"


def decimal_commas_in_the_rows(random, texts):
    file = pick(random, [name for name in STEADY if name != "ACC.csv"])
    head, rows = split(texts[file])
    texts[file] = join(head, [row.replace(".", ",") for row in rows])
    return file, 3, f"expected a number .* Found '{rows[0].replace('.', ',')}'"


def binary_rubbish(random, texts):
    file = pick(random, SIGNALS)
    texts[file] = b"\x93" + random.bytes(random.integers(20, 3000))
    return file, 1, "the first line must be the start|this file has semicolons"


def rubbish_below_the_head(random, texts):
    file = pick(random, STEADY)
    head, _ = split(texts[file])
    rubbish = [random.bytes(9).replace(b"\n", b"").replace(b"\r", b"") for _ in range(20)]
    texts[file] = join(head, []).encode() + b"".join(b"\xff" + row + b"\n" for row in rubbish)
    return file, 3, "expected .* Found .* and \\d+ more of"


def a_lost_column(random, texts):
    head, rows = split(texts["ACC.csv"])
    if random.random() < 0.5:
        head = [line.rpartition(",")[0] for line in head]
        line, text = 1, "Unix seconds, 3 times"
    else:
        line, text = 3, "expected 3 whole numbers, commas between"
    drop = random.integers(3)
    cells = [np.delete(row.split(","), drop).tolist() for row in rows]
    texts["ACC.csv"] = join(head, [",".join(row) for row in cells])
    return "ACC.csv", line, text


def acceleration_in_g(random, texts):
    form = pick(random, ["%.3f", "%.6f", "%.17g"])
    head, rows = split(texts["ACC.csv"])
    counts = [[int(cell) for cell in row.split(",")] for row in rows]
    texts["ACC.csv"] = join(head, [",".join(form % (one / 64) for one in row) for row in counts])
    first = next(number for number, row in enumerate(counts) if any(one % 64 for one in row))
    return "ACC.csv", first + 3, "expected 3 whole numbers"


def swapped_files(random, texts):
    first, second = sorted(random.choice(STEADY, size=2, replace=False), key=STEADY.index)
    texts[first], texts[second] = texts[second], texts[first]
    if (first, second) == ("EDA.csv", "TEMP.csv"):
        return first, None, "are the two files swapped"
    if second == "ACC.csv":
        return first, 1, "the first line must be the start"
    return first, 2, "is this another sensor's file"


def a_second_export(random, texts):
    file = pick(random, STEADY)
    line = len(texts[file].splitlines()) + 1
    texts[file] += texts[file].replace(str(START), str(START + random.integers(10**6)))
    return file, line, "here a second export begins"


def swapped_columns_of_beats(random, texts):
    head, rows = split(texts["IBI.csv"], 1)
    pairs = [row.split(",") for row in rows[random.integers(9) :]]
    texts["IBI.csv"] = join(head, [f"{interval},{time}" for time, interval in pairs])
    first = next(number for number, (time, _) in enumerate(pairs) if not 0.2 <= float(time) <= 3)
    return "IBI.csv", first + 2, "are the columns swapped"


def beats_without_order(random, texts):
    head, rows = split(texts["IBI.csv"], 1)
    if random.random() < 0.5:
        rows = rows[::-1]
    else:
        rows = random.permutation(rows).tolist()
    texts["IBI.csv"] = join(head, rows)
    times = [float(row.split(",")[0]) for row in rows]
    first = next(number for number in range(1, len(times)) if times[number] <= max(times[:number]))
    return "IBI.csv", first + 2, "the times of beats must rise"


def many_damaged_beats(random, texts):
    head, rows = split(texts["IBI.csv"], 1)
    size = random.integers(len(rows) // 2 + 1, len(rows))
    places = random.choice(len(rows) - 1, size=size, replace=False)
    for place in places:
        rows[place] = pick(random, ["x", "1;2", "-1,-1", "nan,nan", "0,0"])
    texts["IBI.csv"] = join(head, rows)
    return "IBI.csv", int(min(places)) + 2, "a row must be the time of a beat"


COUNTED = (
    *(cut_rows, cut_within_a_row, few_words, few_absurd_values, rows_without_an_axis),
    *(fractions_of_counts, zeros, missing_sensors, heads_alone, empty_beats_or_tags),
    *(repeated_or_earlier_beats, damaged_beats, odd_tags, other_encodings),
)
REFUSED = (
    *(wrong_rate, missing_rate, wrong_start, axes_that_start_apart, missing_head, swapped_head),
    *(start_far_off, many_words, many_absurd_values, empty_file, other_separators),
    *(decimal_commas_in_the_rows, binary_rubbish, rubbish_below_the_head, a_lost_column),
    *(acceleration_in_g, swapped_files, a_second_export, swapped_columns_of_beats),
    *(beats_without_order, many_damaged_beats),
)
