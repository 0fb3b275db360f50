"""Who may import whom. The whole package is read; one forbidden import fails, with the file and the name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "migrator"
ROOMS = {"panel", "mail", "contacts", "lists", "forms", "safety"}
OURS = {  # what each part may import of ours, beside its own
    "errors": set(),
    "frozen": set(),
    "secrets": {"errors"},
    "addresses": set(),
    "age": {"errors"},
    "meant": set(),
    "handout": {"age", "errors"},
    "strongbox": {"errors"},
    "registry": {"errors", "meant", "engine.contract"},
    "engine": {"errors"},
    "state": {"errors", "engine"},
    "wire": {"errors"},
    "plan": {
        *("addresses", "errors", "handout", "meant", "strongbox", "registry", "secrets"),
        *("engine.contract", "engine.stage"),
    },
    "cli": {"errors", "plan", "engine", "state", "registry", "secrets", "handout", "strongbox", "__version__"},
    **{room: {"addresses", "age", "errors", "meant", "engine.contract", "wire"} for room in ROOMS},
}
FOREIGN_IN_ONE_FILE = {
    "bs4": "lists/mailman2/pages.py",
    "imapclient": "mail/adapters/imap.py",
    "alembic": "state",
    "backports": "forms/packed.py",
    "dns": "wire/dns.py",
    "httpx2": "wire/http.py",
    "idna": "addresses.py",
    "passlib": "panel/hashes.py",
    "pyarrow": "forms/parquet.py",
    "pyrage": "age.py",
    "vobject": "contacts/vcard.py",
    "ruamel": "plan/file.py",
    "typer": "cli",
    "tqdm": "cli",
    "jinja2": "cli",
    "structlog": "cli",
}


def imports(path: Path) -> list[str]:
    """Every module a file imports, wherever the import stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide who knows whom"
            found += (
                [f"{node.module}.{name.name}" for name in node.names]
                if node.module == "migrator"
                else [node.module or ""]
            )
    return found


def files() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if "testing" not in path.relative_to(ROOT).parts)


def within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_place_in_the_house_allows(path: Path) -> None:
    place = path.relative_to(ROOT).with_suffix("").parts[0]
    if place in {"__init__", "__main__"}:
        return
    for module in imports(path):
        if module == "migrator" or not within(module, "migrator"):
            continue
        name = module.removeprefix("migrator.")
        allowed = {place, "frozen", *OURS[place]} | (
            {f"{room}.{part}" for room in ROOMS for part in ("model", "contract")} if place in ROOMS else set()
        )
        assert any(within(name, one) for one in allowed), f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_foreign_library_has_one_home(path: Path) -> None:
    for module in imports(path):
        home = FOREIGN_IN_ONE_FILE.get(module.partition(".")[0])
        if home:
            where = path.relative_to(ROOT).as_posix()
            assert where == home or where.startswith(f"{home}/"), f"{where} imports {module}; its home is {home}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_state_the_wire_and_adapters_speak_sql(path: Path) -> None:
    if any(within(module, "sqlalchemy") for module in imports(path)):
        where = path.relative_to(ROOT).as_posix()
        assert where.startswith("state/") or where == "wire/sql.py" or "/adapters/" in where or "/sql/" in where, (
            f"{where} imports sqlalchemy"
        )


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_frozen_class_with_slots_is_made_by_us(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "@dataclass(frozen=True, slots=True)" in text:
        assert "migrator.frozen.dataclass" in {f"{module}.dataclass" for module in imports(path)}, (
            f"{path}: it would be slow"
        )


def test_the_engine_never_says_what_the_rooms_know() -> None:
    words = ("mailbox", "imap", "uid", "vcard", "panel", "folder")
    for path in (ROOT / "engine").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }
        known = {name for name in names if any(word in name.lower().split("_") for word in words)}
        assert not known, f"{path.name} names {known}"


def test_importing_the_package_opens_nothing_and_is_light() -> None:
    assert imports(ROOT / "__init__.py") == []
