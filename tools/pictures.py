"""Pictures that are stored in a notebook: made small without spoiling them, and judged afterwards.

`tools/execute.py` calls `small_png` and `steady_svg` when it stores a picture, `tools/check_sizes.py` calls `picture_faults`.
"""

import base64
import hashlib
import io
import re

import numpy as np
from PIL import Image

TINT = 2  # channels that lie no further apart than this are called grey
COLOURS = 256  # a palette of one byte a pixel
GREYS = 128  # what the palette keeps for greys where it cannot hold them all: every second one
PLAIN_ERROR = 0.5  # mean error of a coloured pixel, of 255, above which colours are dithered
COLOUR_ERROR = 5.0  # and above which a palette is not good enough
MIN_DPI = 100
FEW = 32  # greys, below which a picture that shows grey tissue has bands


def decode(encoded: str | list[str]) -> bytes:
    return base64.b64decode("".join(encoded))


def encode(picture: Image.Image, dpi: float | None) -> str:
    """A PNG without any text in it; the resolution is kept, because a gate reads it."""
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True, **({"dpi": (dpi, dpi)} if dpi else {}))
    return base64.b64encode(out.getvalue()).decode()


def resolution(picture: Image.Image) -> float | None:
    """Dots per inch, or None where the file does not say."""
    found = picture.info.get("dpi")
    return float(found[0]) if found else None


def spread(rgb: np.ndarray) -> np.ndarray:
    """How far the channels of each pixel lie apart: 0 for a pure grey. (..., 3) -> (...)"""
    return rgb.max(-1).astype(int) - rgb.min(-1)


def chosen_colours(pixels: np.ndarray, room: int) -> np.ndarray:
    """A palette for coloured pixels, (N, 3) -> (room, 3), by median cut."""
    strip = Image.fromarray(pixels[None])
    cut = strip.quantize(room, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    return np.array(cut.getpalette()[: 3 * room], np.uint8).reshape(-1, 3)


def nearest(colours: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Index of the nearest colour of the palette, (N, 3) -> (N,), piece by piece to keep memory small."""
    pieces = np.array_split(colours.astype(np.int32), max(1, len(colours) // 4096))
    wide = palette.astype(np.int32)
    return np.concatenate([((x[:, None] - wide) ** 2).sum(-1).argmin(1) for x in pieces])


def with_palette(rgb: np.ndarray) -> tuple[Image.Image, float]:
    """A picture of at most 256 colours in which greys stay grey, and the mean error of its coloured pixels.

    Greys and colours are chosen apart, so that no blue contour pulls a grey to its side: greys keep their value, or
    the nearest even one, and the colours share the rest of the palette. Two palettes are tried: one made for the pixels, and
    one made for the different colours, in which the ramp of a colour bar weighs as much as a large plain area.
    """
    grey = spread(rgb) <= TINT
    levels = np.unique(rgb[grey][:, 1]) if grey.any() else np.empty(0, np.uint8)
    pixels = rgb[~grey]
    colours, back = np.unique(pixels, axis=0, return_inverse=True)
    if len(levels) + len(colours) > COLOURS and len(levels) > GREYS:
        levels = np.unique(levels // 2 * 2)  # an error of one, too small to see
    room = COLOURS - len(levels)
    palettes = [colours]
    if len(colours) > room:
        palettes = [chosen_colours(pixels, room), chosen_colours(colours, room)]
    best, index, error = None, np.zeros(0, int), np.inf
    for palette in palettes:
        if not len(colours):
            best, error = palette, 0.0
            break
        near = nearest(colours, palette)[back.reshape(-1)]
        apart = np.abs(palette[near].astype(int) - pixels)
        if (worst := float(np.percentile(apart, 99))) < error:
            best, index, error = palette, near, worst
    table = np.concatenate([np.repeat(levels[:, None], 3, 1), best]).astype(np.uint8)
    numbers = np.empty(grey.shape, np.uint8)
    if grey.any():
        step = np.abs(np.arange(256)[:, None] - levels[None].astype(int)).argmin(1)
        numbers[grey] = step[rgb[grey][:, 1]]
    numbers[~grey] = len(levels) + index
    picture = Image.fromarray(numbers, "P")
    picture.putpalette(table.tobytes())
    off = np.abs(table[numbers][~grey].astype(int) - pixels)
    return picture, float(off.mean()) if len(colours) else 0.0


def dithered(rgb: np.ndarray, picture: Image.Image) -> Image.Image:
    """The same palette, but the error of each coloured pixel is handed on to its neighbours, so that ramps have no bands."""
    numbers = np.asarray(Image.fromarray(rgb).quantize(palette=picture)).copy()
    grey = spread(rgb) <= TINT
    numbers[grey] = np.asarray(picture)[grey]
    found = Image.fromarray(numbers, "P")
    found.putpalette(picture.getpalette())
    return found


def small_png(encoded: str | list[str], exact: bool = False) -> str:
    """The same picture in fewer bytes, told from the first by hardly an eye: grey as 8-bit grey, else a palette, else truecolour.

    With `exact`, truecolour at once: every pixel as it was, for chapters with room.
    """
    picture = Image.open(io.BytesIO(decode(encoded)))
    dpi = resolution(picture)
    if "A" in picture.getbands() or "transparency" in picture.info:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    rgb = np.asarray(picture.convert("RGB"))
    if (spread(rgb) <= TINT).all():
        return encode(Image.fromarray(rgb[..., 1]), dpi)
    whole = encode(Image.fromarray(rgb), dpi)
    picture, error = with_palette(rgb)
    same = np.array_equal(np.asarray(picture.convert("RGB")), rgb)
    if not same and (exact or error > COLOUR_ERROR):
        return whole
    if error > PLAIN_ERROR:
        picture = dithered(rgb, picture)
    return min(whole, encode(picture, dpi), key=len)


def small_page(html: str, exact: bool = False) -> str:
    """The same HTML; each PNG inside it is recoded. For sliders over ready pictures."""
    found = re.compile(r"(data:image/png;base64,)([A-Za-z0-9+/=]+)")
    return found.sub(lambda m: m[1] + small_png(m[2], exact), html)


def steady_svg(text: str) -> str:
    """The same drawing without date, and with names that are equal in each run and differ from those of other drawings."""
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    names = dict.fromkeys(re.findall(r'\bid="([A-Za-z]+[0-9a-f]{10})"', text))
    plain = text
    for number, name in enumerate(names):  # matplotlib draws these by chance
        plain = re.sub(rf"\b{name}\b", f"part{number}", plain)
    own = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return re.sub(r"\bpart(\d+)\b", rf"p{own}-\1", plain) if names else plain


def picture_faults(encoded: str | list[str]) -> list[str]:
    """What a reader would see wrong in a stored PNG: too few dots, or greys that a palette has tinted."""
    picture = Image.open(io.BytesIO(decode(encoded)))
    found = []
    dpi = resolution(picture)
    if dpi is not None and round(dpi) < MIN_DPI:
        found.append(f"{dpi:.0f} dpi, at least {MIN_DPI}")
    if picture.mode == "P":
        rgb = np.asarray(picture.convert("RGB"))
        apart, light = spread(rgb), rgb.mean(-1)
        levels = len(np.unique(rgb[apart <= TINT][:, 1]))
        # Near white and near black a colour map has such pixels by itself. Letters alone bring more greys than FEW.
        between = (light > 24) & (light < 232)
        tinted = ((apart > TINT) & (apart <= 40) & between).mean()
        grey = ((apart <= TINT) & between).mean()
        if levels < FEW and (tinted > 0.02 or grey > 0.1):
            found.append(
                f"{levels} greys are left and {tinted:.0%} of its pixels are tinted, a palette has spoilt it; "
                "store it anew: `make notebooks`"
            )
    return found
