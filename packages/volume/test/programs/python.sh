# A virtual environment with its own pip, a package that is installed, run and removed, and many modules compiled.
set -eu
export PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
python3 -m venv environment
python3 -c '
import zipfile
name = "greeting-1.0.dist-info"
files = {
    "greeting/__init__.py": "def main():\n    import sqlite3, ctypes, zlib\n    print(\"greetings from\", __name__)\n",
    f"{name}/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    f"{name}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{name}/entry_points.txt": "[console_scripts]\ngreet = greeting:main\n",
}
with zipfile.ZipFile("greeting-1.0-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        wheel.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    record = zipfile.ZipInfo(f"{name}/RECORD", (2024, 1, 1, 0, 0, 0))
    wheel.writestr(record, "".join(f"{path},,\n" for path in [*files, f"{name}/RECORD"]))
'
environment/bin/pip install -q --no-index ./greeting-1.0-py3-none-any.whl
environment/bin/greet
environment/bin/python -m compileall -q -f environment/lib/python*/site-packages/pip/_internal
environment/bin/python -m greeting 2>&1 | tail -1
environment/bin/pip list --format=freeze
environment/bin/pip uninstall -qy greeting
environment/bin/pip check
