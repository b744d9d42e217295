"""The schemas that editors check definitions by agree with the compiler on types and names.

Standalone: `/usr/bin/python3 tests/integration/test_schema.py`.
"""

import json
import pathlib
import re
import tomllib
import unittest

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"

# What a schema sees: names, types, ranges, keys of another type, what has to be there. It sees none of what connects keys or
# services, and leaves texts with variables to the compiler.
SEEN = {"E020", "E021", "E022", "E023", "E024", "E026", "E034", "E035", "E036", "E040", "E041", "E042"}


def schema(node):
    loaded = json.loads((ROOT / "docs" / ("node.schema.json" if node else "service.schema.json")).read_text())
    jsonschema.Draft7Validator.check_schema(loaded)
    return jsonschema.Draft7Validator(loaded)


SERVICE, NODE = schema(False), schema(True)


def definition(path):
    """A file as TOML; None where it is none."""
    try:
        return tomllib.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None


def errors(path):
    validator = NODE if path.name == "node.toml" else SERVICE
    return [error.message for error in validator.iter_errors(definition(path))]


def diagnosed(folder):
    """What the compiler says of each file of a golden folder: {name: {codes}}."""
    said = {}
    for path, code in re.findall(r"^(\S+\.toml):\d+:\d+: error: .* \[(E\d+)\]$", (folder / "expected").read_text(), re.M):
        said.setdefault(path.removeprefix("services.d/"), set()).add(code)
    return said


class Schema(unittest.TestCase):
    def test_the_node_as_shipped(self):
        shipped = sorted((ROOT / "services.d").glob("*.toml"))
        self.assertGreater(len(shipped), 3)
        for path in shipped:
            with self.subTest(path.name):
                self.assertEqual(errors(path), [])

    def test_what_the_compiler_takes_and_what_it_does_not(self):
        good = bad = 0
        for folder in sorted(path for path in GOLDEN.iterdir() if path.is_dir()):
            said = diagnosed(folder)
            for path in sorted(folder.rglob("*.toml")):
                name = path.relative_to(folder).as_posix()
                if not path.is_file() or definition(path) is None:
                    continue
                codes = said.get(name, set())
                with self.subTest(f"{folder.name}/{name}", codes=sorted(codes)):
                    if not codes:
                        self.assertEqual(errors(path), [])
                        good += 1
                    elif codes & SEEN:
                        self.assertNotEqual(errors(path), [])
                        bad += 1
        self.assertGreater(good, 50)
        self.assertGreater(bad, 15)

    def test_each_mistake_by_itself(self):
        right = 'command = ["x"]\n'
        for text in (right, right + 'instances = ["a"]\nrequires = ["b@", "c@d"]\n', 'type = "bundle"\ncontents = []\n',
                     right + '[limits]\ncore = 0\nas = "1G"\nnofile = { soft = 1, hard = "unlimited" }\n',
                     right + '[restart]\nattempts = "unlimited"\nfactor = 1.5\njitter = 1\ndelay = "1h30m"\n',
                     'override = "merge"\n[env]\nA = "b"\n', 'override = "merge"\ncontents = []\n'):
            with self.subTest(text):
                self.assertEqual(list(SERVICE.iter_errors(tomllib.loads(text))), [])
        for text in ('', 'comand = ["x"]\n', 'command = "x"\n', right + 'autostart = "true"\n', right + 'type = "long"\n',
                     'type = "bundle"\n', 'type = "bundle"\ncontents = []\ncommand = ["x"]\n', right + 'contents = []\n',
                     right + 'type = "oneshot"\nessential = true\n', right + '[stop]\ntimeout = 5\n', right + '[stop]\ntimeout = ""\n',
                     right + '[stop]\nsignal = "SIGNOPE"\n', right + 'umask = "0778"\n', right + 'umask = 18\n', right + 'nice = 20\n',
                     right + '[restart]\nattempts = "many"\n', right + '[restart]\nfactor = 0.5\n', right + '[horse]\n',
                     right + '[schedule]\n', right + 'type = "periodic"\n[restart]\n', right + '[limits]\ncore = { soft = 1 }\n',
                     right + '[limits]\ncore = "8MB"\n', right + '[env]\n"A B" = "x"\n', right + '[env]\nA = 1\n',
                     right + '[security]\ncapabilities = ["CAP_NOPE"]\n', right + 'requires = ["../x"]\n',
                     right + '[restart]\nsuccess-codes = [256]\n', 'override = "merge"\ntype = "bundle"\ncommand = ["x"]\n'):
            with self.subTest(text):
                self.assertNotEqual(list(SERVICE.iter_errors(tomllib.loads(text))), [])
        self.assertNotEqual(list(NODE.iter_errors({"stop-deadlin": "9s"})), [])
        self.assertNotEqual(list(NODE.iter_errors({"stop-deadline": 9})), [])
        self.assertNotEqual(list(NODE.iter_errors({"history": "/data/history"})), [])

    def test_every_key_is_explained(self):
        def keys(properties):
            for name, value in properties.items():
                if value.get("properties") and value.get("type") == "object" and "description" not in value:
                    yield from keys(value["properties"])
                else:
                    yield name, value

        for validator in (SERVICE, NODE):
            for name, value in keys(validator.schema["properties"]):
                self.assertGreater(len(value["description"]), 5, name)


if __name__ == "__main__":
    unittest.main()
