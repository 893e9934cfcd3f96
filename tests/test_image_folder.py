import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image, ImageOps

from mitune.errors import UserError
from mitune.image_folder import (
    ImageFolderError,
    alike,
    check_prompts,
    read_folder,
    read_pictures,
    write_folder,
)
from mitune.prompts import prompt_id


def paint(file: Path, value: int = 0, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 1, 2, 9)[: len(mode)]).save(file)


@pytest.mark.parametrize("within", ["", "samples"])
def test_file_names_are_read_by_their_last_digits(tmp_path: Path, within: str) -> None:
    for name in ("a dog_000010.png", "a dog_000002.png", "a_1_b_000000.png", "a cat._000001.jpg"):
        paint(tmp_path / within / name)
    (tmp_path / within / "notes.txt").write_text("not a picture")
    found = read_folder(tmp_path)
    assert list(found["prompt"]) == ["a_1_b", "a cat.", "a dog", "a dog"]
    assert list(found["file"].map(lambda f: Path(f).name))[2:] == [
        "a dog_000002.png",
        "a dog_000010.png",
    ]
    assert list(found["image_index"]) == [0, 0, 0, 1]
    assert list(found["prompt_id"]) == [prompt_id(p) for p in found["prompt"]]
    assert set(found["category"]) == {""}


def test_a_manifest_decides_and_may_leave_columns_out(tmp_path: Path) -> None:
    paint(tmp_path / "x.png", size=(5, 7))
    paint(tmp_path / "deep/y.png")
    paint(tmp_path / "unnamed.png")
    (tmp_path / "manifest.csv").write_bytes(
        b'\xef\xbb\xbffile,prompt,rating\r\ndeep/y.png,"a / b, c_d",5\r\nx.png,NA,\r\n'
    )
    found = read_folder(tmp_path)
    assert list(found["file"]) == ["deep/y.png", "x.png"]
    assert list(found["prompt"]) == ["a / b, c_d", "NA"]
    assert list(found["height"]) == [4, 7] and list(found["width"]) == [6, 5]
    assert "rating" not in found
    (tmp_path / "manifest.csv").write_text(
        "category,prompt_id,image_index,prompt,file\ncolor,p,3,a dog,x.png\n"
    )
    (row,) = read_folder(tmp_path).to_dict("records")
    assert (row["category"], row["prompt_id"], row["image_index"]) == ("color", "p", 3)


def test_pictures_come_in_batches_of_one_size_as_rgb(tmp_path: Path) -> None:
    sizes = [(6, 4), (4, 6), (6, 4), (6, 4)]
    for number, (size, mode) in enumerate(zip(sizes, ["RGB", "L", "RGBA", "RGB"], strict=True)):
        paint(tmp_path / f"a dog_{number:06}.png", 10 + number, size, mode)
    batches = list(alike(read_folder(tmp_path), 2))
    found = [(rows, read_pictures(tmp_path, rows)) for rows in batches]
    assert [pictures.shape for _, pictures in found] == [(2, 4, 6, 3), (1, 4, 6, 3), (1, 6, 4, 3)]
    assert [list(rows.index) for rows, _ in found] == [[0, 2], [3], [1]]
    assert found[0][1].dtype == np.uint8
    np.testing.assert_array_equal(found[0][1][1, 0, 0], [246, 246, 246])  # 9 of 255, on white
    np.testing.assert_array_equal(found[2][1][0, 0, 0], [11, 11, 11])


def parts(rng: np.random.Generator):
    for category, prompt in (("color", "a red dog."), ("shape", "a, b")):
        rows = pd.DataFrame(
            {
                "prompt_id": prompt_id(prompt), "category": category, "prompt": prompt,
                "image_index": range(2), "seed": [7, 8], "latent": b"",
            }
        )  # fmt: skip
        rows.attrs = {"key": prompt}
        yield rows, rng.integers(0, 256, (2, 5, 5, 3), dtype=np.uint8)


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert sum(write_folder(folder, parts(np.random.default_rng(0)))) == 4
    names = [f"a red dog._{n:06}.png" for n in (0, 1)] + [f"a, b_{n:06}.png" for n in (2, 3)]
    assert sorted(p.name for p in (folder / "samples").iterdir()) == sorted(names)
    table = read_folder(folder)
    whole = pd.concat([rows for rows, _ in parts(np.random.default_rng(0))], ignore_index=True)
    for name in ("prompt_id", "category", "prompt", "image_index"):
        assert list(table[name]) == list(whole[name])
    assert list(pd.read_csv(folder / "manifest.csv")["seed"]) == [7, 8, 7, 8]
    found = read_pictures(folder, table)
    expected = np.concatenate([p for _, p in parts(np.random.default_rng(0))])
    np.testing.assert_array_equal(found, expected)
    (folder / "manifest.csv").unlink()  # the names alone say the same, but for categories
    by_name = read_folder(folder)
    pd.testing.assert_frame_equal(by_name.drop(columns="category"), table.drop(columns="category"))
    with pytest.raises(ImageFolderError, match="not an empty folder"):
        list(write_folder(folder, parts(np.random.default_rng(0))))


@pytest.mark.parametrize("prompt", ["a dog/cat", "a_dog", "dog " * 70])
def test_prompts_that_no_file_name_can_hold_are_refused(prompt: str) -> None:
    with pytest.raises(ImageFolderError, match="leave this prompt out"):
        check_prompts(["a dog", prompt])


def _as_file(kind: str, *pictures: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    more = {"save_all": True, "append_images": pictures[1:]} if pictures[1:] else {}
    pictures[0].save(stream, kind, **more, **options)
    return stream.getvalue()


ANIMATED = _as_file("GIF", Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 255))
CMYK = _as_file("TIFF", Image.new("CMYK", (4, 4)))
BAD = {
    "no images": ({}, "no pictures; name them"),
    "no prompt in the name": ({"picture.png": None}, "picture.png: prompt unknown; name it"),
    "blank prompt in the name": ({" _000000.png": None}, "prompt unknown; name it"),
    "unreadable": ({"a dog_000000.png": b"GIF"}, "a dog_000000.png: cannot be read as a picture"),
    "empty manifest": ({"manifest.csv": b""}, "manifest.csv: is empty; write it, or restore it"),
    "manifest without rows": ({"manifest.csv": b"file,prompt\n"}, "names no pictures"),
    "manifest not utf-8": ({"manifest.csv": b"file,prompt\n\xff,a\n"}, "manifest.csv:2: not UTF-8"),
    "missing column": (
        {"manifest.csv": b"file,text\nx.png,a dog\n"},
        "manifest.csv: no column 'prompt' but file, text; add it",
    ),
    "absent file": (
        {"x.png": None, "manifest.csv": b"file,prompt\nx.png,a dog\ny.png,a dog\n"},
        "manifest.csv:3: 'y.png' is not in the folder",
    ),
    "blank prompt": (
        {"x.png": None, "manifest.csv": b"file,prompt\nx.png, \n"},
        "manifest.csv:2: prompt unknown; write it",
    ),
    "a cell too few": (
        {"x.png": None, "manifest.csv": b"file,prompt\nx.png\n"},
        "manifest.csv:2: has 1 cells, the header 2; put quotes around a text with a comma",
    ),
    "a comma without quotes": (
        {"a.png": None, "manifest.csv": b"file,prompt\na.png,a red star, and a blue square\n"},
        "manifest.csv:2: has 3 cells, the header 2; put quotes around a text with a comma",
    ),
    "a quote that is not closed": (
        {"x.png": None, "manifest.csv": b'file,prompt\nx.png,"a dog\n'},
        "manifest.csv:2: not CSV (unexpected end of data); close the quotes",
    ),
    "a column twice": (
        {"x.png": None, "manifest.csv": b"file,prompt,prompt\nx.png,a,b\n"},
        "manifest.csv:1: column 'prompt' has no name of its own",
    ),
    "outside": (
        {"manifest.csv": b"file,prompt\n../x.png,a dog\n"},
        "manifest.csv:2: '../x.png' is outside the folder; put the picture into it",
    ),
    "an animation": ({"a dog_000000.gif": ANIMATED}, "a dog_000000.gif: has 2 frames"),
    "inks": ({"a dog_000000.tiff": CMYK}, "a dog_000000.tiff: is CMYK; save it as RGB"),
    "named twice": (
        {"x.png": None, "manifest.csv": b"file,prompt\nx.png,a dog\nx.png,a dog\n"},
        "manifest.csv:3: 'x.png' is named twice",
    ),
    "one id of two prompts": (
        {"x.png": None, "manifest.csv": b"file,prompt,prompt_id\nx.png,a,1\nx.png,b,1\n"},
        "prompt_id '1' has several prompts",
    ),
    "index that is no number": (
        {"x.png": None, "manifest.csv": b"file,prompt,image_index\nx.png,a,first\n"},
        "image_index",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_folders_are_one_line(case: str, tmp_path: Path) -> None:
    contents, message = BAD[case]
    for name, content in contents.items():
        paint(tmp_path / name) if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_folder(tmp_path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_picture_that_is_cut_short_is_found_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a dog_000000.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:3000])
    table = read_folder(tmp_path)  # its header is whole
    with pytest.raises(ImageFolderError, match=r"a dog_000000\.png: cannot be read"):
        read_pictures(tmp_path, table)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_people_see_it(kind: str, orientation: int, tmp_path: Path) -> None:
    """Left half red, right half blue, brighter at the top: Pillow's own turn is the truth."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16, 0] = pixels[:, 16:, 2] = 120
    pixels[:8] *= 2
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = _as_file(kind, Image.fromarray(pixels), exif=exif)
    (tmp_path / f"a dog_000000.{kind.lower()}").write_bytes(content)
    table = read_folder(tmp_path)
    (found,) = read_pictures(tmp_path, table)
    truth = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))
    np.testing.assert_array_equal(found, truth)
    assert found.shape == (int(table["height"][0]), int(table["width"][0]), 3)


def _palette() -> Image.Image:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    return picture


def _grey16() -> Image.Image:
    return Image.fromarray(np.array([[0, 65535]], np.uint16))


def _clear(mode: str, *values: object) -> Image.Image:
    picture = Image.new(mode, (2, 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)
    return picture


SEEN = {
    # two pixels, as they look
    "1": ("PNG", _clear("1", 0, 1), {}, [[0, 0, 0], [255, 255, 255]]),
    "L": ("PNG", _clear("L", 7, 200), {}, [[7, 7, 7], [200, 200, 200]]),
    "P": ("PNG", _palette(), {}, [[255, 0, 0], [0, 0, 255]]),
    "P with a clear colour": ("PNG", _palette(), {"transparency": 1},
                              [[255, 0, 0], [255, 255, 255]]),
    "LA": ("PNG", _clear("LA", (0, 255), (0, 0)), {}, [[0, 0, 0], [255, 255, 255]]),
    "RGBA": ("PNG", _clear("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), {},
             [[255, 0, 0], [255, 255, 255]]),
    "RGB with a clear colour": ("PNG", _clear("RGB", (255, 0, 0), (0, 0, 255)),
                                {"transparency": (0, 0, 255)}, [[255, 0, 0], [255, 255, 255]]),
    "16 bits": ("PNG", _grey16(), {}, [[0, 0, 0], [255, 255, 255]]),
    "16 bits of TIFF": ("TIFF", _grey16(), {}, [[0, 0, 0], [255, 255, 255]]),
    "GIF": ("GIF", _palette(), {}, [[255, 0, 0], [0, 0, 255]]),
}  # fmt: skip


@pytest.mark.parametrize("mode", SEEN)
def test_every_mode_comes_out_as_people_see_it(mode: str, tmp_path: Path) -> None:
    kind, picture, options, seen = SEEN[mode]
    content = _as_file(kind, picture, **options)
    (tmp_path / f"a dog_000000.{kind.lower()}").write_bytes(content)
    found = read_pictures(tmp_path, read_folder(tmp_path))
    np.testing.assert_array_equal(found[0, 0], seen)


@pytest.mark.parametrize("suffix", ["tiff", "TIF", "gif", "jfif", "jpe", "webp", "bmp", "PNG"])
def test_every_picture_is_one(suffix: str, tmp_path: Path) -> None:
    paint(tmp_path / f"a dog_000000.{suffix}")
    assert len(read_folder(tmp_path)) == 1


@pytest.mark.parametrize(("mode", "dtype"), [("I", np.int32), ("F", np.float32)])
def test_what_has_no_one_look_is_refused(mode: str, dtype: type, tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), dtype), mode).save(tmp_path / "a dog_000000.tiff")
    with pytest.raises(ImageFolderError, match=f"is {mode}; save it as RGB of 8 bits"):
        read_folder(tmp_path)


def test_a_pipe_among_pictures_does_not_hang(tmp_path: Path) -> None:
    paint(tmp_path / "a dog_000000.png")
    os.mkfifo(tmp_path / "a dog_000001.png")
    with pytest.raises(ImageFolderError, match=r"a dog_000001\.png: is no file; remove it"):
        read_folder(tmp_path)
