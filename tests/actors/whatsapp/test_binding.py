"""The table of the library's functions agrees with the library, and the gateway never loads it."""

import re
import subprocess
import sys

import pytest

from actors.whatsapp.binding import CALLS, library_path, log_entry
from actors.whatsapp.proto import neonize, package_directory

CTYPES = {
    "b": ["ctypes.c_char_p", "ctypes.c_int"],
    "s": ["ctypes.c_char_p"],
    "i": ["ctypes.c_int"],
    "l": ["ctypes.c_int64"],
    "f": ["ctypes.c_float"],
    "?": ["ctypes.c_bool"],
}
ANSWERS = {"bytes": "ctypes.POINTER(Bytes)", "text": "ctypes.c_void_p", "bool": "ctypes.c_bool"}
BINDER = (package_directory() / "_binder.py").read_text()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_functions_arguments_are_those_of_neonizes_own_binding(name: str) -> None:
    kinds, answer = CALLS[name]
    declared = re.search(rf"gocode\.{name}\.argtypes = \[(.*?)\]", BINDER, re.DOTALL)
    if declared is None:
        assert name in {"AcceptTOSNotice", "PutBusinessName"}  # not used by neonize; from goneonize/main.go
        return
    mine = ["ctypes.c_char_p", *(each for kind in kinds for each in CTYPES[kind])]
    assert [each.strip() for each in declared[1].split(",") if each.strip()] == mine
    restype = re.search(rf"gocode\.{name}\.restype = (.*)", BINDER)
    if answer != "nothing":  # where neonize reads a pointer that Go does not return
        assert restype is not None
        assert restype[1] == ANSWERS[answer]


def test_every_function_that_neonize_binds_is_in_the_table() -> None:
    bound = set(re.findall(r"gocode\.(\w+)\.argtypes", BINDER))
    handled_elsewhere = {"Neonize", "Stop", "Disconnect", "FreeBytesStruct", "FreeString"}
    left_out = {"StopAll", "TestStruct", "GetAllDevices", "SetProxyAddress"}
    assert bound - set(CALLS) == handled_elsewhere | left_out


def test_bad_arguments_never_reach_the_library() -> None:
    program = """
import sys
from pathlib import Path
from actors.whatsapp.binding import BadCall, Library
library = Library(Path(sys.argv[1]))
for function, arguments in [
    ("SendMessage", [b"x"]),
    ("SendMessage", ["x", b"y"]),
    ("SetPassive", [1]),
    ("SendChatPresence", [b"x", True, 0]),
    ("SendPresence", ["a" + chr(0) + "b"]),
    ("StopAll", []),
    ("Neonize", []),
]:
    try:
        library.call(b"1", function, arguments)
    except BadCall:
        continue
    raise SystemExit(f"{function} was called")
"""
    path = library_path(package_directory())
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


def test_a_library_whose_root_key_is_not_found_once_is_not_used() -> None:
    program = """
import os, sys
from pathlib import Path
from actors.whatsapp.binding import Library
Library(Path(sys.argv[1]), bytes(32))
try:
    Library(Path(sys.argv[1]), bytes(32))
except RuntimeError as error:
    assert "0 times" in str(error), error
    os._exit(0)
os._exit(1)
"""
    path = library_path(package_directory())
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


def test_a_log_entry_is_read_without_protobuf() -> None:
    entry = neonize.LogEntry(Message="Failed to dial: é", Level="WARN", Name="Client/Socket")
    assert log_entry(entry.SerializeToString()) == ("Failed to dial: é", "WARN", "Client/Socket")
    assert log_entry(b"") == ("", "", "")


def test_the_gateways_side_loads_no_go_library() -> None:
    program = """
from pathlib import Path
import actors.cells
maps = Path("/proc/self/maps").read_text()
raise SystemExit("goneonize is mapped" if "neonize-linux" in maps else 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_cell_loads_no_protobuf() -> None:
    program = """
import sys
import actors.whatsapp.cell
raise SystemExit(any(name.startswith("google") for name in sys.modules))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
