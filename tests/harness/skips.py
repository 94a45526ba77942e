"""tests/skips.txt: the skips that are allowed, one `nodeid: reason` a line; # starts a comment line."""


def read(path):
    allowed = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            # A nodeid holds `::`, never a colon and a blank.
            nodeid, separator, reason = line.partition(": ")
            if not separator or not reason.strip():
                raise ValueError(f"{path}:{number}: want `nodeid: reason`")
            allowed[nodeid.strip()] = reason.strip()
    return allowed
