"""What the pages of a Parquet file unpack to, as they say themselves.

Its footer may say less, and Arrow unpacks a page as a whole. A page begins with a header in Thrift's compact protocol,
whose second and third field are its size unpacked and packed."""

WHOLE, BYTES, STRUCT = (4, 5, 6), 8, 12  # kinds of a field
FIXED = {1: 0, 2: 0, 3: 1, 7: 8}  # bytes of a true, a false, a byte, a double
DEEPEST = 4  # structs in structs that a header has


def unpacked(stream, part) -> int:
    """Bytes of all pages of a column chunk, `part` as Arrow describes it. ValueError where these are no pages."""
    starts = [part.data_page_offset, part.dictionary_page_offset if part.has_dictionary_page else None]
    stream.seek(min(start for start in starts if start is not None))
    data, at, total = stream.read(part.total_compressed_size), 0, 0
    try:
        while at < len(data):
            fields, at = _struct(data, at)
            if min(fields[2], fields[3]) < 0:
                raise ValueError("a page of negative size")
            total, at = total + fields[2], at + fields[3]
    except (IndexError, KeyError, TypeError):  # a size may be missing, or no number
        raise ValueError("its pages are cut short") from None
    return total


def _struct(data: bytes, at: int, depth: int = 0) -> tuple[dict, int]:
    """Fields by number, and where the next byte is."""
    fields, number = {}, 0
    while head := data[at]:
        step, kind, at = head >> 4, head & 15, at + 1
        if step:
            number += step
        else:
            number, at = _whole(data, at)
        fields[number], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int):
    if kind in WHOLE:
        return _whole(data, at)
    if kind == BYTES:
        size, at = _varint(data, at)
        return None, at + size
    if kind == STRUCT and depth < DEEPEST:
        return _struct(data, at, depth + 1)
    if kind not in FIXED:
        raise ValueError("a page with a header of another kind")
    return None, at + FIXED[kind]


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """A signed number: the last bit is its sign."""
    number, at = _varint(data, at)
    return number >> 1 ^ -(number & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number, shift, at = number | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128 or shift > 63:
            return number, at
