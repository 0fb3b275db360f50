"""The plan file: its shape, its mistakes, the accounts it names, and how its words become steps.

`load.load(path)` checks a plan and tells every mistake at once; `load.check(path)` reads the accounts' files too; `bind.bind(plan,
registry, secrets)` makes it ready to be worked; `schema.schema()` describes it for editors. The way through:

    file.py      YAML to plain data that knows its lines
    written.py   the shape a person writes; wording.py says what does not fit it
    load.py      endpoints and steps, each checked by its adapter or room
    model.py     the plan that was found right
    people.py    its accounts, from a list or a CSV
    bind.py      steps and openers for the engine
"""
