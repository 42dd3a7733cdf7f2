"""LPQ and PHOG pixel by pixel, as their papers write them down: what ours is checked against.

Plain Python on lists of numbers, without any array: sums over windows and cells as formulas.
"""

import cmath
import math


def plain_codes(picture, window: int, rotation=None) -> list[list[int]]:
    """Return the LPQ codes of a grey picture, a list of rows.

    Args:
        picture: rows of grey levels.
        window: side of the neighbourhood, odd.
        rotation: of the eight responses, rows of eight numbers; None: none.
    """
    half, a = window // 2, 1 / window
    offsets = [(y, x) for y in range(-half, half + 1) for x in range(-half, half + 1)]
    waves = [
        [(y, x, cmath.exp(-2j * cmath.pi * (down * y + across * x))) for y, x in offsets]
        for across, down in ((a, 0), (0, a), (a, a), (a, -a))
    ]
    codes = []
    for row in range(half, len(picture) - half):
        codes.append([])
        for column in range(half, len(picture[0]) - half):
            responses = []
            for wave in waves:
                # Equation 1: the sum over y of f(x - y) · exp(-2πi u · y).
                found = sum(picture[row - y][column - x] * factor for y, x, factor in wave)
                responses += [found.real, found.imag]
            if rotation is not None:
                responses = [
                    sum(weight * one for weight, one in zip(weights, responses, strict=True))
                    for weights in rotation
                ]
            codes[-1].append(sum(2**bit for bit, one in enumerate(responses) if one > 1e-6))
    return codes


def plain_lpq(picture, window: int, grid: tuple[int, int], rotation=None) -> list[float]:
    """Return the histograms of the codes, cells by row."""
    codes = plain_codes(picture, window, rotation)
    height, width = len(codes), len(codes[0])
    found = []
    for row in range(grid[0]):
        for column in range(grid[1]):
            histogram, pixels = [0] * 256, 0
            for y in range(row * height // grid[0], (row + 1) * height // grid[0]):
                for x in range(column * width // grid[1], (column + 1) * width // grid[1]):
                    histogram[codes[y][x]] += 1
                    pixels += 1
            found += [number / pixels for number in histogram]
    return found


def plain_phog(picture, levels: int, bins: int, degrees: int, edges) -> list[float]:
    """Return the pyramid of a grey picture.

    Args:
        picture: rows of grey levels.
        levels, bins, degrees: as ours.
        edges: rows of booleans: which pixels count.
    """
    height, width = len(picture), len(picture[0])
    found = []
    for level in range(levels + 1):
        side = 2**level
        for row in range(side):
            for column in range(side):
                sums = [0.0] * bins
                for y in range(row * height // side, (row + 1) * height // side):
                    for x in range(column * width // side, (column + 1) * width // side):
                        if edges[y][x]:
                            left, right = max(x - 1, 0), min(x + 1, width - 1)
                            above, below = max(y - 1, 0), min(y + 1, height - 1)
                            across = (picture[y][right] - picture[y][left]) / (right - left)
                            down = (picture[below][x] - picture[above][x]) / (below - above)
                            angle = math.degrees(math.atan2(down, across)) + 1e-9
                            place = min(int(angle % degrees / degrees * bins), bins - 1)
                            sums[place] += math.sqrt(across**2 + down**2)
                found += sums
    total = sum(found)
    return [one / total for one in found] if total > 0 else found
