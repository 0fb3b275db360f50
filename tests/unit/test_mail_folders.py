import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import PlanError
from migrator.mail import utf7
from migrator.mail.folder_names import NAMES, folded, role_of
from migrator.mail.folders import FolderRules, plan_folders, repairs, shown
from migrator.mail.model import Folder, Namespace

COURIER = Namespace("INBOX.", ".")
DOVECOT = Namespace("", "/")
DOTTED = Namespace("", ".")
FLAT = Namespace("", "")


def folders(*names, **marks):
    """Folders by raw name; `name="\\\\sent"` marks one, `name=5` fills one."""
    made = [Folder(name) for name in names]
    for name, value in marks.items():
        if isinstance(value, int):
            made.append(Folder(name, messages=value))
        else:
            made.append(Folder(name, attributes=frozenset(value.split())))
    return made


def plans(source, source_space, target, target_space, settled=None, **rules):
    made = plan_folders(source, source_space, target, target_space, FolderRules(**rules), settled or {})
    return {plan.source.name: plan for plan in made}


def targets(*arguments, **rules):
    return {name: plan.target for name, plan in plans(*arguments, **rules).items()}


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_shown_name_has_no_prefix_and_slashes():
    assert shown(Folder("INBOX.Entw&APw-rfe.2024"), COURIER) == "Entwürfe/2024"
    assert shown("inbox", COURIER) == "INBOX"
    assert shown(Folder("INBOX/work"), DOVECOT) == "INBOX/work"
    assert shown(Folder("INBOX.INBOX.x"), COURIER) == "INBOX/INBOX/x"


def test_prefix_and_separator_are_translated_by_components():
    source = folders("INBOX", "INBOX.a.b", "INBOX.a")
    assert targets(source, COURIER, [], DOVECOT) == {"INBOX": "INBOX", "INBOX.a": "a", "INBOX.a.b": "a/b"}


def test_the_other_way_the_prefix_is_put_before():
    assert targets(folders("INBOX", "a/b"), DOVECOT, [], COURIER) == {"INBOX": "INBOX", "a/b": "INBOX.a.b"}


def test_a_prefix_in_other_letters_is_the_prefix():
    assert targets(folders("Inbox.a"), COURIER, [], DOVECOT) == {"Inbox.a": "a"}


def test_a_prefix_written_without_its_separator_is_understood():
    assert targets(folders("INBOX.a"), Namespace("INBOX", "."), [], DOVECOT) == {"INBOX.a": "a"}


def test_names_that_do_not_change_go_byte_for_byte():
    source = folders("INBOX.Entw&APw-rfe &- mehr")
    assert targets(source, COURIER, [], DOTTED) == {"INBOX.Entw&APw-rfe &- mehr": "Entw&APw-rfe &- mehr"}


def test_raw_8_bit_and_broken_names_are_spelled_legally():
    raw = "Entwürfe".encode().decode("latin-1")
    assert targets([Folder(raw), Folder("R&D")], DOVECOT, [], DOVECOT) == {raw: "Entw&APw-rfe", "R&D": "R&-D"}


def test_the_targets_separator_in_a_name_is_replaced_and_told():
    plan = plans(folders("INBOX.Tom/Ann"), COURIER, [], DOVECOT)["INBOX.Tom/Ann"]
    assert (plan.target, plan.shown_target, plan.renamed) == ("Tom_Ann", "Tom_Ann", True)
    assert plan.why == '"/" separates folders at the target'


def test_a_separator_is_replaced_beside_encoded_letters():
    assert targets(folders("v1.2 &APw-"), DOVECOT, [], COURIER) == {"v1.2 &APw-": "INBOX.v1_2 &APw-"}


def test_the_replacement_is_the_admins_choice():
    assert targets(folders("v1.2"), DOVECOT, [], DOTTED, replacement="-") == {"v1.2": "v1-2"}


def test_a_replacement_that_is_the_separator_itself_is_not_used():
    assert targets(folders("v1.2"), DOVECOT, [], DOTTED, replacement=".") == {"v1.2": "v1_2"}


def test_a_replaced_name_gives_way_to_the_one_that_had_it():
    plan = plans(folders("v1.2", "v1_2"), DOVECOT, [], DOTTED)
    assert (plan["v1_2"].target, plan["v1.2"].target) == ("v1_2", "v1_2 (2)")
    assert plan["v1.2"].why == '"v1_2" is taken by another folder'


def test_without_a_separator_names_are_flat():
    assert targets(folders("a/b/c"), DOVECOT, [], FLAT) == {"a/b/c": "a_b_c"}
    assert targets(folders("a/b"), FLAT, [], DOVECOT) == {"a/b": "a_b"}


def test_a_backslash_separates_as_well():
    assert targets(folders("a\\b"), Namespace("", "\\"), [], DOVECOT) == {"a\\b": "a/b"}


def test_empty_components_vanish():
    assert targets(folders("a//b/"), DOVECOT, [], DOTTED) == {"a//b/": "a.b"}


def test_folders_below_inbox_stay_there():
    assert targets(folders("INBOX", "INBOX/a"), DOVECOT, [], DOTTED) == {"INBOX": "INBOX", "INBOX/a": "INBOX.a"}


def test_folders_below_inbox_are_lifted_where_inbox_is_the_prefix():
    assert targets(folders("INBOX/a", "a"), DOVECOT, [], COURIER) == {"a": "INBOX.a", "INBOX/a": "INBOX.a (2)"}


def test_folders_below_inbox_are_lifted_where_inbox_takes_none():
    plan = plans(folders("INBOX/a"), DOVECOT, folders(INBOX="\\noinferiors"), DOVECOT)["INBOX/a"]
    assert (plan.target, plan.why) == ("a", "INBOX cannot hold folders at the target")


def test_a_folder_named_inbox_does_not_become_the_inbox():
    source = folders("INBOX", "INBOX.INBOX", "INBOX.INBOX.x")
    assert targets(source, COURIER, [], DOVECOT) == {
        "INBOX": "INBOX",
        "INBOX.INBOX": "INBOX (2)",
        "INBOX.INBOX.x": "INBOX (2)/x",
    }


def test_a_rule_for_the_inbox_leaves_a_folder_of_its_name_alone():
    found = targets(folders("INBOX", "INBOX.INBOX"), COURIER, [], COURIER, except_=("INBOX",))
    assert found == {"INBOX": None, "INBOX.INBOX": "INBOX.INBOX"}


def test_a_target_folder_without_children_gets_none():
    assert targets(folders("Box/a"), DOVECOT, folders(Box="\\noinferiors"), DOVECOT) == {"Box/a": "Box_a"}


# -- collisions --------------------------------------------------------------------------------------------------------


def test_names_that_differ_in_case_stay_two_folders():
    assert targets(folders("Work", "work"), DOVECOT, [], DOVECOT) == {"Work": "Work", "work": "work (2)"}


def test_names_that_differ_in_composition_stay_two_folders():
    composed, apart = (utf7.encode(unicodedata.normalize(form, "Café")) for form in ("NFC", "NFD"))
    found = targets(folders(composed, apart), DOVECOT, [], DOVECOT)
    assert len({folded(utf7.decode(name)) for name in found.values()}) == 2


def test_a_target_that_lists_both_cases_keeps_both():
    found = targets(folders("Work", "work"), DOVECOT, folders("Work", "work"), DOVECOT)
    assert found == {"Work": "Work", "work": "work"}


def test_a_role_folder_beside_one_in_another_case_is_used_once():
    source = [*folders("Work", "work"), *folders(Enviados="\\sent")]
    there = [*folders("Work"), *folders(work="\\sent")]
    found = targets(source, DOVECOT, there, DOVECOT)
    assert found == {"Enviados": "work", "Work": "Work", "work": "work (2)"}


def test_a_folder_the_target_has_in_other_letters_is_used():
    plan = plans(folders("work"), DOVECOT, folders("Work"), DOVECOT)["work"]
    assert (plan.target, plan.exists, plan.why) == ("Work", True, "the target spells it so")


def test_the_folder_whose_very_name_the_target_has_gets_it():
    found = targets(folders("Work", "work"), DOVECOT, folders("work"), DOVECOT)
    assert found == {"Work": "Work (2)", "work": "work"}


def test_a_number_that_a_folder_has_of_itself_is_passed_over():
    found = targets(folders("Work", "work", "work (2)"), DOVECOT, [], DOVECOT)
    assert found == {"Work": "Work", "work": "work (3)", "work (2)": "work (2)"}


def test_folders_follow_their_renamed_parent():
    found = targets(folders("Work", "work", "work/2024"), DOVECOT, [], DOVECOT)
    assert found["work/2024"] == "work (2)/2024"


# -- roles -------------------------------------------------------------------------------------------------------------


def test_a_role_goes_to_the_targets_folder_of_that_role():
    plan = plans(folders(Gesendet="\\sent"), DOVECOT, folders(Enviados="\\sent"), DOVECOT)["Gesendet"]
    assert (plan.target, plan.exists, plan.why) == ("Enviados", True, "it is the target's sent folder")


def test_a_name_tells_the_role_where_the_source_marks_none():
    source = [Folder("INBOX." + utf7.encode("Entwürfe"))]
    assert list(targets(source, COURIER, folders(Drafts="\\drafts"), DOVECOT).values()) == ["Drafts"]


def test_a_name_tells_the_role_where_the_target_marks_none():
    assert targets(folders("Papelera"), DOVECOT, folders("INBOX.Trash"), COURIER) == {"Papelera": "INBOX.Trash"}


def test_among_unmarked_folders_of_one_role_the_namesake_is_the_right_one():
    there = folders(Sent=1, Enviados=900)
    assert targets(folders("Sent"), DOVECOT, there, DOVECOT) == {"Sent": "Sent"}


def test_without_a_folder_for_the_role_the_name_stays():
    assert targets(folders("Papelera"), DOVECOT, folders("INBOX"), DOVECOT) == {"Papelera": "Papelera"}


def test_the_servers_mark_says_more_than_the_name():
    source = folders(Trash="\\archive")
    assert targets(source, DOVECOT, folders("Trash", Archive="\\archive"), DOVECOT) == {"Trash": "Archive"}


def test_of_two_folders_with_one_role_the_marked_one_gets_it():
    source = [Folder("Enviados", attributes=frozenset({"\\sent"}), messages=1), Folder("Sent Items", messages=900)]
    found = targets(source, DOVECOT, folders(Sent="\\sent"), DOVECOT)
    assert found == {"Enviados": "Sent", "Sent Items": "Sent Items"}


def test_of_two_unmarked_folders_with_one_role_the_fuller_one_gets_it():
    source = folders(Enviados=3, Gesendet=900)
    found = targets(source, DOVECOT, folders(Sent="\\sent"), DOVECOT)
    assert found == {"Enviados": "Enviados", "Gesendet": "Sent"}


def test_the_namesake_of_the_targets_folder_keeps_its_name_before_a_fuller_one():
    source = folders(Sent=3, Enviados=900)
    found = targets(source, DOVECOT, folders(Sent="\\sent"), DOVECOT)
    assert found == {"Sent": "Sent", "Enviados": "Enviados"}


def test_a_marked_folder_takes_the_role_even_from_its_namesake():
    source = [Folder("Enviados", attributes=frozenset({"\\sent"})), Folder("Sent")]
    plan = plans(source, DOVECOT, folders(Sent="\\sent"), DOVECOT)
    assert (plan["Enviados"].target, plan["Sent"].target) == ("Sent", "Sent (2)")


def test_a_folder_deep_down_has_no_role_by_its_name():
    found = targets(folders("Kunden/Gesendet"), DOVECOT, folders(Sent="\\sent"), DOVECOT)
    assert found == {"Kunden/Gesendet": "Kunden/Gesendet"}


def test_folders_below_a_role_folder_follow_it():
    found = targets(folders("Gesendet", "Gesendet/2024"), DOVECOT, folders(Sent="\\sent"), DOVECOT)
    assert found["Gesendet/2024"] == "Sent/2024"


def test_a_role_folder_that_takes_no_mail_is_not_used():
    found = targets(folders("Papelera"), DOVECOT, folders(Trash="\\trash \\noselect"), DOVECOT)
    assert found == {"Papelera": "Papelera"}


def test_what_an_earlier_pass_chose_stays():
    source = folders(Enviados=3000, Gesendet=900)
    settled = {"Gesendet": "Sent"}
    found = targets(source, DOVECOT, folders(Sent="\\sent"), DOVECOT, settled)
    assert found == {"Gesendet": "Sent", "Enviados": "Enviados"}


def test_gmails_folders_leave_their_root():
    source = [
        *folders(**{"[Gmail]": "\\noselect", "[Gmail]/Enviados": "\\sent", "[Gmail]/Todos": "\\all"}),
        *folders("[Gmail]/Otro", "Label"),
    ]
    found = targets(source, DOVECOT, folders("INBOX.Sent"), COURIER)
    assert found == {
        "[Gmail]": None,
        "[Gmail]/Enviados": "INBOX.Sent",
        "[Gmail]/Todos": None,
        "[Gmail]/Otro": "INBOX.Otro",
        "Label": "INBOX.Label",
    }


# -- left out ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["\\noselect", "\\nonexistent", "\\all", "\\flagged", "\\important"])
def test_what_holds_no_mail_of_its_own_is_left_out_with_a_reason(mark):
    plan = plans(folders(Folder=mark), DOVECOT, [], DOVECOT)["Folder"]
    assert plan.target is None
    assert plan.why.startswith(("it holds", "it shows"))


def test_shared_folders_are_left_out_unless_asked_for():
    source = folders("shared.office")
    assert targets(source, COURIER, [], DOVECOT) == {"shared.office": None}
    assert targets(source, COURIER, [], DOVECOT, shared=True) == {"shared.office": "shared/office"}


def test_except_leaves_out_and_names_the_pattern():
    plan = plans(folders("Spam", "Spam/old", "Work"), DOVECOT, [], DOVECOT, except_=("Spam*",))
    assert (plan["Spam"].target, plan["Spam/old"].target, plan["Work"].target) == (None, None, "Work")
    assert plan["Spam"].why == "except: Spam*"


def test_a_pattern_without_wildcards_names_one_folder():
    assert targets(folders("Spam", "Spam/old"), DOVECOT, [], DOVECOT, except_=("Spam",))["Spam/old"] == "Spam/old"


def test_only_leaves_out_the_rest():
    found = targets(folders("INBOX", "a", "b"), DOVECOT, [], DOVECOT, only=("inbox", "a"))
    assert found == {"INBOX": "INBOX", "a": "a", "b": None}


def test_patterns_are_for_shown_names_whatever_the_server_uses():
    source = [Folder("INBOX." + utf7.encode("Año") + ".x"), Folder("INBOX.[Gmail].x")]
    assert set(targets(source, COURIER, [], DOVECOT, except_=("Año/?", "[Gmail]/*")).values()) == {None}


def test_case_counts_in_a_pattern():
    assert targets(folders("spam"), DOVECOT, [], DOVECOT, except_=("Spam",)) == {"spam": "spam"}


# -- the map -----------------------------------------------------------------------------------------------------------


def test_the_map_wins_over_roles_and_names():
    plan = plans(folders("Sent"), DOVECOT, folders(Sent="\\sent"), DOVECOT, map={"Sent": "Old/Sent"})["Sent"]
    assert (plan.target, plan.why) == ("Old/Sent", "map: Sent to Old/Sent")


def test_a_star_carries_over_what_it_stood_for():
    found = targets(folders("Viejo/2019/a", "Viejo"), DOVECOT, [], COURIER, map={"Viejo/*": "Archive/Viejo/*"})
    assert found == {"Viejo/2019/a": "INBOX.Archive.Viejo.2019.a", "Viejo": "INBOX.Viejo"}


def test_an_exact_name_wins_over_a_pattern():
    rules = {"*": "Everything/*", "a": "b"}
    assert targets(folders("a", "c"), DOVECOT, [], DOVECOT, map=rules) == {"a": "b", "c": "Everything/c"}


def test_children_follow_a_mapped_folder():
    found = targets(folders("INBOX", "INBOX/a"), DOVECOT, [], DOVECOT, map={"INBOX": "Old"})
    assert found == {"INBOX": "Old", "INBOX/a": "Old/a"}


def test_two_folders_the_map_sends_together_are_merged_and_tell_it():
    rules = {"Sent Items": "Sent"}
    plan = plans(folders("Sent", "Sent Items"), DOVECOT, [], DOVECOT, map=rules)
    assert (plan["Sent"].target, plan["Sent Items"].target) == ("Sent", "Sent")
    assert plan["Sent"].merged_with == ("Sent Items",)
    assert plan["Sent Items"].merged_with == ("Sent",)


def test_a_third_folder_with_the_role_is_not_merged_untold():
    found = targets(folders("Enviados", "Sent Items"), DOVECOT, folders("Sent"), DOVECOT, map={"Sent Items": "Sent"})
    assert found == {"Enviados": "Enviados", "Sent Items": "Sent"}


def test_a_folder_that_only_resembles_a_mapped_target_is_not_merged():
    found = targets(folders("a", "sent"), DOVECOT, [], DOVECOT, map={"a": "Sent"})
    assert found == {"a": "Sent", "sent": "sent (2)"}


def test_the_map_finds_the_targets_spelling():
    assert targets(folders("a"), DOVECOT, folders("Sent"), DOVECOT, map={"a": "sent"}) == {"a": "Sent"}


def test_the_map_moves_a_view_that_the_admin_names():
    source = folders(**{"[Gmail]/All": "\\all"})
    assert targets(source, DOVECOT, [], DOVECOT, map={"[Gmail]/All": "Archive"}) == {"[Gmail]/All": "Archive"}


def test_a_map_to_nothing_is_refused():
    with pytest.raises(PlanError, match="names no folder"):
        plans(folders("a"), DOVECOT, [], DOVECOT, map={"a": "/"})


# -- order and stability ---------------------------------------------------------------------------------------------


def test_inbox_is_first_parents_come_before_children_and_left_out_folders_last():
    source = [*folders("b/c", "a", "b", "INBOX"), *folders(All="\\all")]
    made = plan_folders(source, DOVECOT, [], COURIER, FolderRules())
    assert [plan.source.name for plan in made] == ["INBOX", "a", "b", "b/c", "All"]


ODD = [*"aAbBäÄ", "a\u0308", "a.b", "a/b", "a_b", "a (2)", "INBOX", "inbox", "&", "日本", "\U0001f4a9", " x ", "50%*"]
TELLING = ["Sent", "SENT", "Enviados", "Sent Items", "Trash", "Papelera", "Archive", "[Gmail]", "ß", "ss"]
COMPONENTS = st.sampled_from(ODD + TELLING) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
SPACES = st.sampled_from([COURIER, DOVECOT, DOTTED, FLAT, Namespace("~/mail/", "/"), Namespace("", "\\")])
MARKS = st.sampled_from(["", "", "", "", "\\sent", "\\trash", "\\archive", "\\noselect", "\\noinferiors", "\\all"])


@st.composite
def mailboxes(draw, space, words=COMPONENTS):
    made = {"INBOX": Folder("INBOX")}
    for parts in draw(st.lists(st.lists(words, min_size=1, max_size=3), max_size=8)):
        spelled = [utf7.encode(part.replace(space.separator, "") if space.separator else part) for part in parts]
        spelled = [part for part in spelled if part][: 3 if space.separator else 1]
        name = space.prefix + space.separator.join(spelled)
        mark = draw(MARKS)
        marks = frozenset({mark} if mark else ())
        if spelled and name.upper() != "INBOX":
            made[name] = Folder(name, attributes=marks, messages=draw(st.integers(0, 3)))
    return list(made.values())


@st.composite
def worlds(draw):
    """Two mailboxes with few words between them, so that names meet."""
    source_space, target_space = draw(SPACES), draw(SPACES)
    spoken = draw(st.lists(COMPONENTS, min_size=1, max_size=4))
    words = st.sampled_from([*spoken, *(word.swapcase() for word in spoken)])
    return draw(mailboxes(source_space, words)), source_space, draw(mailboxes(target_space, words)), target_space


def chosen(world):
    return [plan for plan in plan_folders(*world, FolderRules()) if plan.target is not None]


@given(worlds())
def test_no_two_folders_go_to_one_target(world):
    raws = [plan.target for plan in chosen(world)]
    assert len(set(raws)) == len(raws)


@given(worlds())
def test_targets_that_look_alike_are_those_the_target_lists_side_by_side(world):
    listed = {folder.name for folder in world[2]}
    keys = {}
    for plan in chosen(world):
        keys.setdefault(folded(utf7.decode(plan.target)), []).append(plan.target)
    for alike in keys.values():
        assert len(alike) == 1 or len(set(alike) - listed) <= 1


@given(worlds())
def test_every_target_is_legal_and_in_the_targets_namespace(world):
    listed = {folder.name for folder in world[2]}
    space = world[3]
    for plan in chosen(world):
        assert plan.target in listed or plan.target.startswith((space.prefix, "INBOX"))
        assert utf7.encode(utf7.decode(plan.target)) == plan.target


@given(st.data(), SPACES, SPACES)
def test_no_component_holds_the_targets_separator(data, source_space, target_space):
    source = data.draw(mailboxes(source_space))
    for plan in chosen((source, source_space, [], target_space)):
        if target_space.separator and plan.target != "INBOX":
            depth = plan.target.removeprefix(target_space.prefix).count(target_space.separator) + 1
            rest = plan.source.name.removeprefix(source_space.prefix)
            assert depth <= (rest.count(source_space.separator) + 1 if source_space.separator else 1)


@given(worlds(), st.randoms())
def test_the_order_of_listing_changes_nothing(world, random):
    source, source_space, target, target_space = world
    again = (random.sample(source, len(source)), source_space, random.sample(target, len(target)), target_space)
    assert chosen(again) == chosen(world)


@given(worlds())
def test_a_second_pass_chooses_what_the_first_one_made(world):
    source, source_space, target, target_space = world
    first = chosen(world)
    listed = {folder.name: folder for folder in target}
    made = [listed.get(plan.target, Folder(plan.target, messages=plan.source.messages)) for plan in first]
    now = {folder.name: folder for folder in [*target, *made]}
    second = chosen((source, source_space, list(now.values()), target_space))
    assert {plan.source.name: plan.target for plan in second} == {plan.source.name: plan.target for plan in first}
    assert all(plan.exists or not now[plan.target].selectable for plan in second)


@given(worlds())
def test_parents_are_made_before_their_children(world):
    names = [plan.target for plan in chosen(world)]
    separator = world[3].separator
    for place, name in enumerate(names):
        assert not separator or not any(other.startswith(name + separator) for other in names[:place])


@given(worlds())
def test_every_folder_has_a_plan_and_what_stays_behind_has_a_reason(world):
    made = plan_folders(*world, FolderRules())
    assert sorted(plan.source.name for plan in made) == sorted(folder.name for folder in world[0])
    assert all(plan.why for plan in made if plan.target is None or plan.renamed)


@given(worlds())
def test_settled_choices_hold(world):
    source, source_space, target, target_space = world
    settled = {plan.source.name: plan.target for plan in chosen(world)}
    fuller = [Folder(f.name, attributes=f.attributes, messages=9 - (f.messages or 0)) for f in source]
    again = plan_folders(fuller, source_space, target, target_space, FolderRules(), settled)
    assert {plan.source.name: plan.target for plan in again if plan.target is not None} == settled


# -- repairs -----------------------------------------------------------------------------------------------------------


def test_repairs_become_plainer_and_keep_the_prefix():
    spellings = list(repairs(utf7.encode("INBOX. Über  100% \t"), COURIER))
    assert [shown(name, COURIER) for name in spellings] == ["Über 100%", "Über 100_", "Uber 100_", "Uber 100_ (2)"]
    assert all(name.startswith("INBOX.") for name in spellings)


def test_repairs_shorten_and_flatten():
    *_, last, numbered = repairs("a/b/c/" + "d" * 200, DOVECOT)
    assert last == "a/b/c_" + "d" * 38
    assert numbered == f"{last} (2)"


def test_a_repair_is_never_the_name_of_another_folder():
    assert list(repairs("a%b", DOVECOT, taken=["A_B", "a%b"])) == ["a_b (2)", "a_b (3)"]


def test_a_plain_name_is_repaired_by_a_number():
    assert list(repairs("INBOX.Sent", COURIER)) == ["INBOX.Sent (2)"]


@given(st.data(), SPACES)
def test_repairs_are_few_different_and_keep_their_level(data, space):
    for folder in data.draw(mailboxes(space)):
        spellings = [folder.name, *repairs(folder.name, space)]
        assert len(spellings) <= 6
        assert all(name != following for name, following in pairwise(spellings))
        if space.separator:
            counts = [name.count(space.separator) for name in spellings]
            assert counts == sorted(counts, reverse=True)


# -- the table of names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Elementos enviados", "\\sent"),
        ("Sent Items", "\\sent"),
        ("sent-mail", "\\sent"),
        ("Gesendet", "\\sent"),
        ("BORRADORES", "\\drafts"),
        (unicodedata.normalize("NFD", "Entwürfe"), "\\drafts"),
        ("Correo no deseado", "\\junk"),
        ("spam", "\\junk"),
        ("Courrier indésirable", "\\junk"),
        ("Papelera", "\\trash"),
        ("Deleted Messages", "\\trash"),
        ("Prullenbak", "\\trash"),
        ("Arxiu", "\\archive"),
        ("Archives", "\\archive"),
    ],
)
def test_a_name_tells_its_role(name, role):
    assert role_of(name) == role


@pytest.mark.parametrize("name", ["INBOX", "Work", "Archivos", "Sent to Ann", ""])
def test_an_ordinary_name_has_no_role(name):
    assert role_of(name) is None


def test_no_name_stands_under_two_roles():
    names = [folded(name) for listed in NAMES.values() for name in listed]
    assert len(names) == len(set(names))
