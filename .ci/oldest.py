"""Print the oldest releases that setup.cfg allows, as constraints for pip: what the library needs, not its tests."""

import configparser
from pathlib import Path

setup = configparser.ConfigParser()
setup.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")
for line in setup["options"]["install_requires"].strip().splitlines():
    print(line.replace(" >= ", "=="))
