"""What Mailman's own client shows of a list, as JSON: the independent reader of tests/servers/test_lists_mailman3.py.

PYTHON mailman3_client.py URL USER PASSWORD ADDRESS          (PYTHON is that of Mailman's environment)
"""

import json
import sys

from mailmanclient import Client

PREFERENCES = (
    "acknowledge_posts", "delivery_mode", "delivery_status", "hide_address", "preferred_language", "receive_list_copy",
    "receive_own_postings",
)  # fmt: skip

url, user, password, address = sys.argv[1:]
client = Client(url, user, password)
found = client.get_list(address)
# All at once: the client cannot ask for a single address that has a / or a # in it.
as_typed = {one["email"]: one["original_email"] for one in client._connection.call("addresses")[1]["entries"]}


def person(member):
    told = {
        "name": member.display_name,
        "as_typed": as_typed[member.email],
        "moderation_action": member.moderation_action,
        **{name: member.preferences.get(name) for name in PREFERENCES},
    }
    return member.email, told


rosters = {"member": found.members, "owner": found.owners, "moderator": found.moderators, "nonmember": found.nonmembers}
json.dump(
    {
        "people": {role: dict(map(person, roster)) for role, roster in rosters.items()},
        "counts": {role: len(list(roster)) for role, roster in rosters.items()},
        "settings": {
            name: value for name, value in found.settings.items() if isinstance(value, str | int | float | list)
        },
        "bans": sorted(ban.email for ban in found.bans),
        "header_matches": [[one.header, one.pattern, one.rest_data.get("action")] for one in found.header_matches],
    },
    sys.stdout,
)
