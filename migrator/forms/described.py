"""A table's description as JSON, for manifests and for databases that have no place for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from migrator.forms.model import Column, Index, Paging, Table


def shape(table: Table) -> dict[str, object]:
    """A table without its rows, for JSON."""
    return {**asdict(table), "paging": table.paging.value, "rows": None, "bytes": None}


def described(told: Mapping[str, Any]) -> Table:  # Any: JSON
    """What `shape` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    indexes = (
        Index(**{**one, "columns": tuple(one["columns"]), "lengths": tuple(one["lengths"])}) for one in told["indexes"]
    )
    return Table(
        **{
            **told,
            "columns": tuple(Column(**one) for one in told["columns"]),
            "indexes": tuple(indexes),
            "paging": Paging(told["paging"]),
            "page_by": tuple(told["page_by"]),
        }
    )
