"""What DCMTK says an object is called."""
import subprocess


def uid_of(path):
    said = subprocess.run(["dcmdump", "+P", "0008,0018", path], capture_output=True, text=True, check=True).stdout
    return said[said.index("[") + 1:said.index("]")]
