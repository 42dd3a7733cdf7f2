"""The well-known mini_XCEPTION weights on the test rows of a run on FER2013, beside its networks.

    python -m benchmarks.mini_xception --run RUN --data-dir FER2013 --weights WEIGHTS.hdf5

Arriaga, Valdenegro-Toro and Plöger, "Real-time Convolutional Neural Networks for Emotion and Gender
Classification" (2017): 64 × 64 grey, pixels in [-1, 1], classes angry, disgust, fear, happy, sad,
surprise, neutral. What they were trained on is not known; the owner's test part may be in it.
"""

import dataclasses
import os
from pathlib import Path

CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
SIZE = 64  # pixels, height and width


@dataclasses.dataclass(frozen=True)
class Config:
    run: Path  # of recipes.fer_pruned_cnn --dataset fer2013
    data_dir: Path  # FER2013, as the run read it
    weights: Path  # fer2013_mini_XCEPTION.102-0.66.hdf5
    quick: bool = False  # do not keep the figures


def predict_peer(weights: Path, faces: list) -> list[str]:
    """Return the class of each grey face, `(height, width)` uint8."""
    import cv2
    import keras
    import numpy as np

    model = keras.models.load_model(weights, compile=False)
    images = np.stack([cv2.resize(face, (SIZE, SIZE)) for face in faces]).astype("float32")
    found = model.predict(images[..., None] / 127.5 - 1, batch_size=128, verbose=0)
    return [CLASSES[index] for index in found.argmax(axis=1)]


def read_faces(data_dir: Path, example_ids: list[str]) -> list:
    """Return the pixels of some rows as the reader finds them, grey."""
    import cv2
    import numpy as np

    from affectkeras.datasets import reader
    from affectkeras.records import encoded_images

    table = reader("fer2013").read(data_dir, progress=False)
    places = {name: row for row, name in enumerate(table.frame["example_id"])}
    rows = np.array([places[name] for name in example_ids])
    return [
        cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
        for image in encoded_images(table, rows)
    ]


def main(config: Config) -> dict:
    """Compare, write `benchmarks/results/mini_xception.json` (not when quick), return it."""
    from affectkeras.files import read_csv
    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    load_before = os.getloadavg()[0]
    start_tensorflow()
    predictions = read_csv(config.run / "predictions.csv")
    test = predictions[predictions["split"] == "test"]
    first = test[test["arm"] == test["arm"].iloc[0]].drop_duplicates("example_id")
    names = predict_peer(config.weights, read_faces(config.data_dir, first["example_id"].tolist()))
    peer = float((first["expression"].to_numpy() == names).mean())
    cases = []
    for arm, rows in test.groupby("arm", sort=False):
        ours = float((rows["expression"] == rows["predicted"]).mean())
        case = f"{len(first)} faces of FER2013, accuracy of {arm} and of mini_XCEPTION"
        cases.append(
            {"case": case, "ours": ours, "peer": peer, "ratio": ours / peer, "bar": None,
             "passed": None}
        )  # fmt: skip
        print(f"{arm}: {ours:.4f}, mini_XCEPTION {peer:.4f}")
    return keep_result("mini_xception", config, {"cases": cases}, load_before=load_before)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
