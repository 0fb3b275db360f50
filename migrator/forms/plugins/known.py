"""Every plugin and component that is known, one entry each. Adding one is adding its entry here; nothing else names it.

What is said of a plugin was seen in a database it wrote, read in its published source, or read in dumps; of those marked `unseen` only
told. Times: CFDB7, Forminator and the posts of WordPress hold the site's wall clock, Formidable, Everest, Gravity and WPForms UTC.
"""

from __future__ import annotations

from typing import Final

from migrator.forms.model import Clock, Keyed, Link, Reference, Role
from migrator.forms.plugins.shape import (
    FieldRows,
    FieldTree,
    InCell,
    InColumns,
    InRows,
    Items,
    Longer,
    Part,
    People,
    Plugin,
    Spelling,
    System,
    Terms,
    Titles,
    View,
)

# What plugins share that keep entries as posts of WordPress.
_POST_META: Final = Reference("post_id", "posts", "ID")
_PAGE: Final = Link("post_id", "posts", "ID", otherwise="0")
_AUTHOR: Final = Link("post_author", "users", "ID", otherwise="0")


def _user(column: str = "user_id", table: str = "users", key: str = "ID") -> Link:
    return Link(column, table, key, otherwise="0")


_POST_HEADER: Final = {"status": "post_status", "user_id": "post_author"}
_BACKSLASHES: Final = "Backslashes were lost when entries were stored."


def _posts(*types: str, role: Role = Role.ENTRIES, links: tuple[Link, ...] = ()) -> Part:
    moment = "post_date_gmt" if role is Role.ENTRIES else ""
    return Part("posts", role, only={"post_type": types}, moment=moment, links=(_AUTHOR, *links))


def _meta_of_posts(*links: Link) -> Part:
    return Part("postmeta", Role.VALUES, (_POST_META,), within="post_id", links=links)


CFDB7: Final = Plugin(
    "cfdb7",
    "Contact Form CFDB7",
    slugs=("contact-form-cfdb7/contact-form-cfdb-7.php",),
    parts=(
        _posts("wpcf7_contact_form", role=Role.FORMS),
        Part(
            "db7_forms",
            Role.ENTRIES,
            (Reference("form_post_id", "posts", "ID"),),
            moment="form_date",
            clock=Clock.LOCAL,
        ),
    ),
    view=View(
        entries="db7_forms",
        id="form_id",
        form="form_post_id",
        submitted="form_date",
        clock=Clock.LOCAL,
        answers=(InCell("form_value", Spelling.PHP),),
        header={"status": "answer:cfdb7_status"},
        titles=Titles("posts", "ID", "post_title", {"post_type": ("wpcf7_contact_form",)}, "post_name"),
        # Once each, and nothing else: what a visitor typed as &amp; was stored as typed.
        undo={"&quot;": '"', "&#039;": "'", "&#047;": "/", "&#092;": "\\"},
        file_mark="cfdb7_file",
        uploads="wp-content/uploads/cfdb7_uploads/",
    ),
    notes=("Of several files sent through one field only the first was kept.",),
)

CFDB: Final = Plugin(
    "cfdb",
    "Contact Form DB",
    slugs=("contact-form-7-to-database-extension/contact-form-7-db.php",),
    parts=(
        Part("cf7dbplugin_submits", Role.ENTRIES, moment="submit_time", clock=Clock.UNIX),
        Part("cf7dbplugin_st", Role.NOTES, needed=False),
    ),
    view=View(
        entries="cf7dbplugin_submits",
        id="submit_time",
        form="form_name",
        submitted="submit_time",
        clock=Clock.UNIX,
        answers=(
            InRows("cf7dbplugin_submits", "submit_time", "field_name", "field_value", file="file", order="field_order"),
        ),
        header={"form_title": "form_name", "ip": "answer:Submitted From"},
    ),
    notes=("Several choices of one field were stored as one text, joined by commas.",),
)

FLAMINGO: Final = Plugin(
    "flamingo",
    "Flamingo",
    slugs=("flamingo/flamingo.php",),
    parts=(
        _posts("flamingo_inbound"),
        _posts("flamingo_contact", role=Role.NOTES),
        _meta_of_posts(),
        Part(
            "term_relationships",
            Role.NOTES,
            (Reference("object_id", "posts", "ID"),),
            within="object_id",
            links=(Link("term_taxonomy_id", "term_taxonomy", "term_taxonomy_id"),),
        ),
        Part(
            "term_taxonomy",
            Role.NOTES,
            only={"taxonomy": ("flamingo_inbound_channel", "flamingo_contact_tag")},
            needed=False,
            aside=True,
        ),
        Part(
            "terms",
            Role.NOTES,
            (Reference("term_id", "term_taxonomy", "term_id"),),
            within="term_id",
            needed=False,
            aside=True,
        ),
    ),
    view=View(
        entries="posts",
        id="ID",
        form="",
        submitted="post_date_gmt",
        clock=Clock.UTC,
        local="post_date",
        answers=(
            InRows("postmeta", "post_id", "meta_key", "meta_value", Spelling.PHP, named="_field_(.+)", names="_fields"),
        ),
        header={
            "status": "post_status",
            "ip": "meta:_meta.remote_ip",
            "user_agent": "meta:_meta.user_agent",
            "source_url": "meta:_meta.url",
        },
        titles=Terms("flamingo_inbound_channel"),
    ),
    notes=(
        _BACKSLASHES,
        "Files were never kept: only their hashes are there.",
        "Names of fields that differ in letter case or signs alone share one answer.",
    ),
)

NINJA: Final = Plugin(
    "ninja-forms",
    "Ninja Forms",
    slugs=("ninja-forms/ninja-forms.php",),
    parts=(
        Part("nf3_forms", Role.FORMS),
        Part("nf3_form_meta", Role.FORMS, (Reference("parent_id", "nf3_forms", "id"),), needed=False),
        Part("nf3_fields", Role.FORMS, (Reference("parent_id", "nf3_forms", "id"),)),
        Part("nf3_field_meta", Role.FORMS, (Reference("parent_id", "nf3_fields", "id"),), needed=False),
        _posts("nf_sub"),
        _meta_of_posts(
            Link("meta_value", "nf3_forms", "id", only=("meta_key", ("_form_id",))),
            Link("meta_key", "nf3_fields", "id", named=r"_field_(\d+)"),
        ),
    ),
    view=View(
        entries="posts",
        id="ID",
        form="meta:_form_id",
        submitted="post_date_gmt",
        clock=Clock.UTC,
        local="post_date",
        answers=(InRows("postmeta", "post_id", "meta_key", "meta_value", Spelling.PHP, named=r"_field_(\d+)"),),
        header=_POST_HEADER,
        titles=Titles("nf3_forms", "id", "title"),
        fields=FieldRows("nf3_fields", "parent_id", "id", "label", "type", "order", "key"),
        files=frozenset({"file_upload"}),
    ),
    notes=(_BACKSLASHES, "In text areas & and < were stored as entities, and scripts were taken out."),
)

_WPFORMS_LINED: Final = frozenset({"checkbox", "payment-checkbox", "select"})

WPFORMS: Final = Plugin(
    "wpforms",
    "WPForms",
    slugs=("wpforms/wpforms.php",),
    parts=(
        _posts(
            "wpforms",
            role=Role.FORMS,
            links=(Link("post_content", "posts", "ID", only=("post_type", ("wpforms",)), way="id"),),
        ),
        Part(
            "wpforms_entries",
            Role.ENTRIES,
            (Reference("form_id", "posts", "ID"),),
            moment="date",
            links=(_PAGE, _user()),
            keyed=(Keyed("fields", form="form_id", items="id"),),
        ),
        Part(
            "wpforms_entry_fields",
            Role.VALUES,
            (Reference("entry_id", "wpforms_entries", "entry_id"), Reference("form_id", "posts", "ID")),
            needed=False,
            keyed=(Keyed("field_id", form="form_id"),),
        ),
        Part(
            "wpforms_entry_meta",
            Role.NOTES,
            (Reference("entry_id", "wpforms_entries", "entry_id"), Reference("form_id", "posts", "ID")),
            links=(_user(),),
            needed=False,
        ),
    ),
    view=View(
        entries="wpforms_entries",
        id="entry_id",
        form="form_id",
        submitted="date",
        clock=Clock.UTC,
        answers=(InCell("fields", Spelling.JSON, Items("id", "name", "value", "type", lined=_WPFORMS_LINED)),),
        copies=(InRows("wpforms_entry_fields", "entry_id", "field_id", "value"),),
        header={"status": "status", "ip": "ip_address", "user_agent": "user_agent", "user_id": "user_id"},
        titles=Titles("posts", "ID", "post_title", {"post_type": ("wpforms",)}, "post_name"),
        fields=FieldTree(
            "posts",
            "ID",
            "post_content",
            Spelling.JSON,
            "fields",
            "id",
            ("label",),
            "type",
            only={"post_type": ("wpforms",)},
        ),
        files=frozenset({"file-upload", "signature"}),
    ),
)

WPFORMS_LITE: Final = Plugin(
    "wpforms-lite",
    "WPForms Lite",
    slugs=("wpforms-lite/wpforms.php",),
    silent="The free edition mails what is sent and keeps nothing but how often.",
    kept_by=("wpforms",),
)

GRAVITY: Final = Plugin(
    "gravity-forms",
    "Gravity Forms",
    slugs=("gravityforms/gravityforms.php",),
    parts=(
        Part("gf_form", Role.FORMS),
        Part(
            "gf_form_meta",
            Role.FORMS,
            (Reference("form_id", "gf_form", "id"),),
            links=(
                Link("display_meta", "gf_form", "id", way="id"),
                Link("display_meta", "gf_form", "id", way="fields.*.formId"),
            ),
        ),
        Part(
            "gf_entry",
            Role.ENTRIES,
            (Reference("form_id", "gf_form", "id"),),
            moment="date_created",
            links=(_PAGE, _user("created_by")),
        ),
        Part(
            "gf_entry_meta",
            Role.VALUES,
            (Reference("entry_id", "gf_entry", "id"), Reference("form_id", "gf_form", "id")),
            keyed=(Keyed("meta_key", form="form_id", named=r"(\d+(?:\.\d+)?)"),),
        ),
        Part("gf_entry_notes", Role.NOTES, (Reference("entry_id", "gf_entry", "id"),), needed=False, links=(_user(),)),
        Part(
            "gf_draft_submissions",
            Role.NOTES,
            (Reference("form_id", "gf_form", "id"),),
            moment="date_created",
            needed=False,
        ),
    ),
    view=View(
        entries="gf_entry",
        id="id",
        form="form_id",
        submitted="date_created",
        clock=Clock.UTC,
        answers=(
            InRows(
                "gf_entry_meta",
                "entry_id",
                "meta_key",
                "meta_value",
                Spelling.ANY,
                named=r"(\d+)(?:\.(\d+))?",
                index="item_index",
            ),
        ),
        header={
            "status": "status",
            "ip": "ip",
            "user_agent": "user_agent",
            "source_url": "source_url",
            "user_id": "created_by",
        },
        titles=Titles("gf_form", "id", "title"),
        fields=FieldTree(
            "gf_form_meta", "form_id", "display_meta", Spelling.JSON, "fields", "id", ("adminLabel", "label"), "type"
        ),
        files=frozenset({"fileupload", "post_image", "signature"}),
        choices=frozenset({"checkbox"}),
    ),
)

GRAVITY_OLD: Final = Plugin(
    "gravity-forms-old",
    "Gravity Forms before 2.3",
    slugs=("gravityforms/gravityforms.php",),
    parts=(
        Part("rg_form", Role.FORMS),
        Part("rg_form_meta", Role.FORMS, (Reference("form_id", "rg_form", "id"),)),
        Part(
            "rg_lead",
            Role.ENTRIES,
            (Reference("form_id", "rg_form", "id"),),
            moment="date_created",
            links=(_PAGE, _user("created_by")),
        ),
        Part(
            "rg_lead_detail",
            Role.VALUES,
            (Reference("lead_id", "rg_lead", "id"), Reference("form_id", "rg_form", "id")),
            keyed=(Keyed("field_number", form="form_id", named=r"(\d+(?:\.\d+)?)"),),
        ),
        Part(
            "rg_lead_detail_long",
            Role.VALUES,
            (Reference("lead_detail_id", "rg_lead_detail", "id"),),
            needed=False,
        ),
        Part(
            "rg_lead_meta",
            Role.NOTES,
            (Reference("lead_id", "rg_lead", "id"), Reference("form_id", "rg_form", "id")),
            needed=False,
        ),
        Part("rg_lead_notes", Role.NOTES, (Reference("lead_id", "rg_lead", "id"),), needed=False, links=(_user(),)),
    ),
    view=View(
        entries="rg_lead",
        id="id",
        form="form_id",
        submitted="date_created",
        clock=Clock.UTC,
        answers=(
            InRows(
                "rg_lead_detail",
                "lead_id",
                "field_number",
                "value",
                Spelling.ANY,
                named=r"(\d+)(?:\.(\d+))?",
                longer=Longer("rg_lead_detail_long", "lead_detail_id", "value", "id"),
            ),
        ),
        header={
            "status": "status",
            "ip": "ip",
            "user_agent": "user_agent",
            "source_url": "source_url",
            "user_id": "created_by",
        },
        titles=Titles("rg_form", "id", "title"),
        fields=FieldTree(
            "rg_form_meta", "form_id", "display_meta", Spelling.ANY, "fields", "id", ("adminLabel", "label"), "type"
        ),
        files=frozenset({"fileupload", "post_image", "signature"}),
        choices=frozenset({"checkbox"}),
    ),
    notes=("Parts of a field are numbered with a float: its parts 1 and 10 cannot be told apart.",),
)

FORMIDABLE: Final = Plugin(
    "formidable",
    "Formidable Forms",
    slugs=("formidable/formidable.php", "formidable-pro/formidable-pro.php"),
    parts=(
        Part("frm_forms", Role.FORMS, links=(Link("parent_form_id", "frm_forms", "id", otherwise="0"),)),
        Part("frm_fields", Role.FORMS, (Reference("form_id", "frm_forms", "id"),)),
        Part(
            "frm_items",
            Role.ENTRIES,
            (Reference("form_id", "frm_forms", "id"), Reference("parent_item_id", "frm_items", "id")),
            moment="created_at",
            identity="item_key",
            links=(_PAGE, _user(), _user("updated_by")),
        ),
        Part(
            "frm_item_metas",
            Role.VALUES,
            (Reference("item_id", "frm_items", "id"), Reference("field_id", "frm_fields", "id")),
        ),
    ),
    view=View(
        entries="frm_items",
        id="id",
        form="form_id",
        submitted="created_at",
        clock=Clock.UTC,
        answers=(InRows("frm_item_metas", "item_id", "field_id", "meta_value", Spelling.ANY, named=r"([1-9]\d*)"),),
        header={
            "status": "is_draft",
            "ip": "ip",
            "user_agent": "description.browser",
            "source_url": "description.referrer",
            "user_id": "user_id",
        },
        titles=Titles("frm_forms", "id", "name", slug="form_key"),
        fields=FieldRows("frm_fields", "form_id", "id", "name", "type", "field_order", "field_key"),
        files=frozenset({"file", "signature"}),
        parent="parent_item_id",
    ),
    notes=("Files are numbers of the site's media library.",),
)

FLUENT: Final = Plugin(
    "fluent-forms",
    "Fluent Forms",
    slugs=("fluentform/fluentform.php", "fluentformpro/fluentformpro.php"),
    parts=(
        Part("fluentform_forms", Role.FORMS),
        Part("fluentform_form_meta", Role.FORMS, (Reference("form_id", "fluentform_forms", "id"),), needed=False),
        Part(
            "fluentform_submissions",
            Role.ENTRIES,
            (Reference("form_id", "fluentform_forms", "id"),),
            moment="created_at",
            clock=Clock.LOCAL,
            links=(_user(),),
        ),
        Part(
            "fluentform_entry_details",
            Role.VALUES,
            (
                Reference("submission_id", "fluentform_submissions", "id"),
                Reference("form_id", "fluentform_forms", "id"),
            ),
            needed=False,
        ),
        Part(
            "fluentform_submission_meta",
            Role.NOTES,
            (Reference("response_id", "fluentform_submissions", "id"), Reference("form_id", "fluentform_forms", "id")),
            needed=False,
        ),
    ),
    view=View(
        entries="fluentform_submissions",
        id="id",
        form="form_id",
        submitted="created_at",
        clock=Clock.LOCAL,
        copies=(InRows("fluentform_entry_details", "submission_id", "field_name", "field_value"),),
        answers=(InCell("response", Spelling.JSON, skip=r"__fluent_form_embded_post_id|_fluentform_.*nonce|_wp_.*"),),
        header={
            "status": "status",
            "ip": "ip",
            "user_agent": "browser",
            "source_url": "source_url",
            "user_id": "user_id",
        },
        titles=Titles("fluentform_forms", "id", "title"),
        fields=FieldTree(
            "fluentform_forms",
            "id",
            "form_fields",
            Spelling.JSON,
            "fields",
            "attributes.name",
            ("settings.admin_field_label", "settings.label"),
            "element",
            nests=("fields",),
        ),
        files=frozenset({"input_file", "input_image"}),
    ),
)

FORMINATOR: Final = Plugin(
    "forminator",
    "Forminator",
    slugs=("forminator/forminator.php",),
    parts=(
        _posts("forminator_forms", "forminator_polls", "forminator_quizzes", role=Role.FORMS),
        Part("postmeta", Role.FORMS, (_POST_META,), only={"meta_key": ("forminator_form_meta",)}),
        Part(
            "frmt_form_entry",
            Role.ENTRIES,
            (Reference("form_id", "posts", "ID"),),
            moment="date_created",
            clock=Clock.LOCAL,
        ),
        Part(
            "frmt_form_entry_meta",
            Role.VALUES,
            (Reference("entry_id", "frmt_form_entry", "entry_id"),),
            keyed=(Keyed("meta_key", entry="entry_id", named=r"([^_].*)"),),
        ),
    ),
    view=View(
        entries="frmt_form_entry",
        id="entry_id",
        form="form_id",
        submitted="date_created",
        clock=Clock.LOCAL,
        answers=(
            InRows("frmt_form_entry_meta", "entry_id", "meta_key", "meta_value", Spelling.PHP, named=r"([^_].*)"),
        ),
        header={"status": "status", "ip": "meta:_forminator_user_ip"},
        titles=Titles(
            "posts",
            "ID",
            "post_title",
            {"post_type": ("forminator_forms", "forminator_polls", "forminator_quizzes")},
            "post_name",
        ),
        fields=FieldTree(
            "postmeta",
            "post_id",
            "meta_value",
            Spelling.PHP,
            "fields",
            "id",
            ("field_label",),
            "type",
            only={"meta_key": ("forminator_form_meta",)},
        ),
        files=frozenset({"upload", "signature"}),
    ),
    notes=(_BACKSLASHES, "Tags were taken out, and in text areas < was stored as an entity."),
)

EVEREST: Final = Plugin(
    "everest-forms",
    "Everest Forms",
    slugs=("everest-forms/everest-forms.php",),
    parts=(
        _posts("everest_form", role=Role.FORMS),
        Part(
            "evf_entries",
            Role.ENTRIES,
            (Reference("form_id", "posts", "ID"),),
            moment="date_created",
            links=(_user(),),
        ),
        Part("evf_entrymeta", Role.VALUES, (Reference("entry_id", "evf_entries", "entry_id"),), needed=False),
    ),
    view=View(
        entries="evf_entries",
        id="entry_id",
        form="form_id",
        submitted="date_created",
        clock=Clock.UTC,
        answers=(InCell("fields", Spelling.JSON, Items("meta_key", "name", "value", "type", "label")),),
        header={
            "status": "status",
            "ip": "user_ip_address",
            "user_agent": "user_device",
            "source_url": "referer",
            "user_id": "user_id",
        },
        titles=Titles("posts", "ID", "post_title", {"post_type": ("everest_form",)}, "post_name"),
        files=frozenset({"file-upload", "image-upload", "signature"}),
    ),
)

ELEMENTOR: Final = Plugin(
    "elementor",
    "Elementor Pro",
    slugs=("elementor-pro/elementor-pro.php",),
    parts=(
        Part(
            "e_submissions",
            Role.ENTRIES,
            moment="created_at_gmt",
            identity="hash_id",
            links=(Link("main_meta_id", "e_submissions_values", "id", otherwise="0"), _PAGE, _user()),
        ),
        Part("e_submissions_values", Role.VALUES, (Reference("submission_id", "e_submissions", "id"),)),
        Part(
            "e_submissions_actions_log", Role.NOTES, (Reference("submission_id", "e_submissions", "id"),), needed=False
        ),
    ),
    view=View(
        entries="e_submissions",
        id="id",
        form="element_id",
        submitted="created_at_gmt",
        clock=Clock.UTC,
        local="created_at",
        answers=(InRows("e_submissions_values", "submission_id", "key", "value"),),
        header={
            "form_title": "form_name",
            "status": "status",
            "ip": "user_ip",
            "user_agent": "user_agent",
            "source_url": "referer",
            "user_id": "user_id",
        },
    ),
)

ELEMENTOR_FREE: Final = Plugin(
    "elementor-free",
    "Elementor",
    slugs=("elementor/elementor.php",),
    silent="The free edition has no forms.",
    kept_by=("elementor",),
)

JETPACK: Final = Plugin(
    "jetpack",
    "Jetpack",
    slugs=("jetpack/jetpack.php", "jetpack-forms/jetpack-forms.php"),
    parts=(
        _posts(
            "feedback", links=(Link("post_parent", "posts", "ID", only=("post_type", ("feedback",)), otherwise="0"),)
        ),
        _meta_of_posts(),
    ),
    view=View(
        entries="posts",
        id="ID",
        form="post_parent",
        submitted="post_date_gmt",
        clock=Clock.UTC,
        local="post_date",
        answers=(InCell("post_content", Spelling.JETPACK),),
        header={"status": "post_status", "ip": "answer:IP", "source_url": "answer:entry_permalink"},
        titles=Titles("posts", "ID", "post_title", {"post_type": ("page", "post")}, "post_name"),
    ),
    notes=("What is called a form is the page it stands on.",),
)

CALDERA: Final = Plugin(
    "caldera",
    "Caldera Forms",
    slugs=("caldera-forms/caldera-core.php",),
    parts=(
        Part("cf_forms", Role.FORMS, (Reference("form_id", "cf_forms", "form_id"),), needed=False),
        Part(
            "cf_form_entries",
            Role.ENTRIES,
            moment="datestamp",
            links=(Link("form_id", "cf_forms", "form_id"), _user()),
        ),
        Part(
            "cf_form_entry_values",
            Role.VALUES,
            (Reference("entry_id", "cf_form_entries", "id"),),
            keyed=(Keyed("field_id", entry="entry_id"),),
        ),
        Part("cf_form_entry_meta", Role.NOTES, (Reference("entry_id", "cf_form_entries", "id"),), needed=False),
    ),
    view=View(
        entries="cf_form_entries",
        id="id",
        form="form_id",
        submitted="datestamp",
        clock=Clock.UTC,
        answers=(InRows("cf_form_entry_values", "entry_id", "field_id", "value", Spelling.ANY),),
        header={"status": "status", "user_id": "user_id"},
        titles=Titles("cf_forms", "form_id", "config.name", {"type": ("primary",)}),
        fields=FieldTree(
            "cf_forms",
            "form_id",
            "config",
            Spelling.PHP,
            "fields",
            "ID",
            ("label", "slug"),
            "type",
            only={"type": ("primary",)},
        ),
        files=frozenset({"file", "advanced_file", "cf2_file"}),
    ),
)

HAPPYFORMS: Final = Plugin(
    "happyforms",
    "HappyForms",
    slugs=("happyforms-upgrade/happyforms-upgrade.php",),
    parts=(
        _posts("happyform", role=Role.FORMS),
        _posts("happyforms-message"),
        _meta_of_posts(Link("meta_value", "posts", "ID", only=("meta_key", ("_happyforms_form_id",)))),
    ),
    view=View(
        entries="posts",
        id="ID",
        form="meta:_happyforms_form_id",
        submitted="post_date_gmt",
        clock=Clock.UTC,
        local="post_date",
        answers=(
            InRows(
                "postmeta",
                "post_id",
                "meta_key",
                "meta_value",
                Spelling.PHP,
                named=r"_happyforms_(?!(?:form_id|request|read|client_.*|current_post_id)$)(.+)",
            ),
        ),
        header={
            "status": "post_status",
            "ip": "meta:_happyforms_client_ip",
            "source_url": "meta:_happyforms_client_referer",
        },
        titles=Titles("posts", "ID", "post_title", {"post_type": ("happyform",)}, "post_name"),
    ),
)

HAPPYFORMS_FREE: Final = Plugin(
    "happyforms-free",
    "HappyForms, free edition",
    slugs=("happyforms/happyforms.php",),
    silent="The free edition mails what is sent and keeps nothing.",
    kept_by=("happyforms",),
)

CONTACT_FORM_7: Final = Plugin(
    "contact-form-7",
    "Contact Form 7",
    slugs=("contact-form-7/wp-contact-form-7.php",),
    silent="It mails what is sent and keeps nothing, unless a plugin such as Flamingo or CFDB7 stands beside it.",
    kept_by=("cfdb7", "cfdb", "flamingo"),
)

# -- Joomla -----------------------------------------------------------------------------------------------------------------

RSFORM: Final = Plugin(
    "rsform",
    "RSForm! Pro",
    System.JOOMLA,
    parts=(
        Part("rsform_forms", Role.FORMS),
        Part(
            "rsform_submissions",
            Role.ENTRIES,
            (Reference("FormId", "rsform_forms", "FormId"),),
            moment="DateSubmitted",
            links=(_user("UserId", "users", "id"),),
        ),
        Part(
            "rsform_submission_values",
            Role.VALUES,
            (
                Reference("SubmissionId", "rsform_submissions", "SubmissionId"),
                Reference("FormId", "rsform_forms", "FormId"),
            ),
        ),
    ),
    view=View(
        entries="rsform_submissions",
        id="SubmissionId",
        form="FormId",
        submitted="DateSubmitted",
        clock=Clock.UTC,
        answers=(InRows("rsform_submission_values", "SubmissionId", "FieldName", "FieldValue"),),
        header={"status": "confirmed", "ip": "UserIp", "user_id": "UserId"},
        titles=Titles("rsform_forms", "FormId", "FormTitle"),
    ),
    notes=("Several choices of one field were stored as one text, mostly a line each.",),
)

BREEZINGFORMS: Final = Plugin(
    "breezingforms",
    "BreezingForms",
    System.JOOMLA,
    parts=(
        Part("facileforms_records", Role.ENTRIES, moment="submitted"),
        Part("facileforms_subrecords", Role.VALUES, (Reference("record", "facileforms_records", "id"),)),
    ),
    view=View(
        entries="facileforms_records",
        id="id",
        form="form",
        submitted="submitted",
        clock=Clock.UTC,
        answers=(InRows("facileforms_subrecords", "record", "name", "value", label="title"),),
        header={"form_title": "title", "ip": "ip", "user_agent": "browser"},
    ),
    notes=("Names of fields were cut at 30 to 50 letters.",),
)

# -- Drupal -----------------------------------------------------------------------------------------------------------------

WEBFORM: Final = Plugin(
    "webform",
    "Webform",
    System.DRUPAL,
    parts=(
        Part(
            "webform_submission",
            Role.ENTRIES,
            moment="created",
            clock=Clock.UNIX,
            identity="uuid",
            links=(_user("uid", "users_field_data", "uid"),),
        ),
        Part("webform_submission_data", Role.VALUES, (Reference("sid", "webform_submission", "sid"),)),
    ),
    view=View(
        entries="webform_submission",
        id="sid",
        form="webform_id",
        submitted="created",
        clock=Clock.UNIX,
        answers=(InRows("webform_submission_data", "sid", "name", "value", part="property", index="delta"),),
        header={"form_title": "webform_id", "ip": "remote_addr", "source_url": "uri", "user_id": "uid"},
    ),
    notes=("Files are numbers of the site's file table.",),
)

WEBFORM_7: Final = Plugin(  # unseen
    "webform-7",
    "Webform for Drupal 7",
    System.DRUPAL,
    parts=(
        Part("webform", Role.FORMS, links=(Link("nid", "node", "nid"),)),
        Part("webform_component", Role.FORMS, links=(Link("nid", "node", "nid"),)),
        Part(
            "webform_submissions",
            Role.ENTRIES,
            moment="submitted",
            clock=Clock.UNIX,
            links=(Link("nid", "node", "nid"), _user("uid", "users", "uid")),
        ),
        Part(
            "webform_submitted_data",
            Role.VALUES,
            (Reference("sid", "webform_submissions", "sid"),),
            links=(Link("nid", "node", "nid"),),
            keyed=(Keyed("cid", form="nid"),),
        ),
    ),
    view=View(
        entries="webform_submissions",
        id="sid",
        form="nid",
        submitted="submitted",
        clock=Clock.UNIX,
        answers=(InRows("webform_submitted_data", "sid", "cid", "data", index="no"),),
        header={"ip": "remote_addr", "user_id": "uid"},
        titles=Titles("node", "nid", "title", {"type": ("webform",)}),
        fields=FieldRows("webform_component", "nid", "cid", "name", "type", "weight", "form_key"),
        files=frozenset({"file"}),
    ),
)

# -- PrestaShop -------------------------------------------------------------------------------------------------------------

PRESTASHOP: Final = Plugin(
    "prestashop-contact",
    "PrestaShop's contact form",
    System.PRESTASHOP,
    parts=(
        Part("customer_thread", Role.ENTRIES, moment="date_add", clock=Clock.LOCAL),
        Part(
            "customer_message",
            Role.VALUES,
            (Reference("id_customer_thread", "customer_thread", "id_customer_thread"),),
            moment="date_add",
            clock=Clock.LOCAL,
        ),
    ),
    view=View(
        entries="customer_message",
        id="id_customer_message",
        form="",
        submitted="date_add",
        clock=Clock.LOCAL,
        answers=(
            InColumns(
                leave_out=frozenset({"id_customer_thread", "date_upd", "read", "private", "id_employee"}),
                joins=Reference("id_customer_thread", "customer_thread", "id_customer_thread"),
            ),
        ),
        header={"ip": "ip_address", "user_agent": "user_agent"},
        file_mark="file_name",
        uploads="upload/",
    ),
)

# What a WordPress says of itself, without which nobody knows the moment at which an entry was sent.
OF_THE_SITE: Final = Part(
    "options",
    Role.NOTES,
    only={"option_name": ("home", "timezone_string", "gmt_offset")},
    needed=False,
    aside=True,
)

# Users of a site, by whose address one of another site is known.
PEOPLE: Final = (
    People("users", "ID", "user_email"), People("users", "id", "email"), People("users", "uid", "mail"),
    People("users_field_data", "uid", "mail"),
)  # fmt: skip

KNOWN: Final[tuple[Plugin, ...]] = (
    CFDB7, CFDB, FLAMINGO, NINJA, WPFORMS, WPFORMS_LITE, GRAVITY, GRAVITY_OLD, FORMIDABLE, FLUENT, FORMINATOR, EVEREST, ELEMENTOR,
    ELEMENTOR_FREE, JETPACK, CALDERA, HAPPYFORMS, HAPPYFORMS_FREE, CONTACT_FORM_7, RSFORM, BREEZINGFORMS, WEBFORM, WEBFORM_7, PRESTASHOP,
)  # fmt: skip
