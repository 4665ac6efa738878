"""Passes over matrices, for rules with one number a row or a column.

Tensors have the shape (..., height, width), and each is one piece of work.

A pass is a nest of loops for each shape that it reduces or writes: the full arrays first, then one number a row, one
a column, one a matrix. So a nest never writes what a later one still reads.
"""

from __future__ import annotations

from thalweg.backends.cpu import TYPE_OF_PASSES, Layout, domain, finish, fold, indent, numbers_of_row, opening
from thalweg.backends.cpu_expressions import Writer, local
from thalweg.language import nodes as n
from thalweg.language.flatten import Step
from thalweg.language.plan import Pass, needed
from thalweg.words import BLOCK

_DOMAINS = ((True, True), (True, False), (False, True), (False, False))
_SIZE = {
    (True, True): "size",
    (True, False): "matrices * height",
    (False, True): "matrices * width",
    (False, False): "matrices",
}
_INDEX = {
    (True, True): "(b * height + r) * width + c",
    (True, False): "b * height + r",
    (False, True): "b * width + c",
    (False, False): "b",
}


def axes_pass(layout: Layout, k: int, one: Pass) -> str:
    """Return the text of pass k; `lo` and `hi` count tensors."""
    plan = layout.plan
    reads = {name for step in (*one.steps, *one.reductions) for name in n.names(step.expr)} | set(one.writes.values())
    used = [
        name
        for name in layout.arrays
        if name in reads or name in one.writes or any(name in r.names for r in one.reductions)
    ]
    lines = [
        f"@kernel({TYPE_OF_PASSES!r})",
        f"def pass_{k}(context, lo, hi):",
        *opening("work", "pointers", "columns", "tensor", "partial"),
        "    lanes = np.empty(16, np.float64)",
        "    for item in range(lo, hi):",
        "        size, row, numbers = work[item, 2], work[item, 3], work[item, 4]",
        "        matrices, height, width = work[item, 6], work[item, 7], work[item, 8]",
        *indent(2, numbers_of_row(layout, reads)),
    ]
    for name in used:
        kind = plan.kinds[name]
        lines.append(
            f"        p__{name} = view(pointers[row, {layout.address(name)}], {_SIZE[kind.rows, kind.columns]}, T)"
        )
    for shape in _DOMAINS:
        lines += indent(2, _nest(layout, one, shape))
    return "\n".join(lines)


def _nest(layout: Layout, one: Pass, shape: tuple[bool, bool]) -> list[str]:
    plan = layout.plan
    reductions = [(j, r) for j, r in enumerate(one.reductions) if domain(plan, _element(r)) == shape]
    writes = {s: new for s, new in one.writes.items() if (plan.kinds[s].rows, plan.kinds[s].columns) == shape}
    if not reductions and not writes:
        return []
    wanted = [name for _, r in reductions for name in n.names(_element(r))] + list(writes.values())
    steps = needed(one.steps, wanted)
    read = {name for step in steps for name in n.names(step.expr)} | set(wanted)
    writer = Writer(plan.kinds)

    def at_level(level: tuple[tuple[bool, bool], ...]) -> list[str]:
        """Loads and steps of the kinds that are computed at this depth of the nest."""
        kinds = {name: (k.rows, k.columns) for name, k in plan.kinds.items() if not k.is_number}
        loads = [f"{local(x)} = p__{x}[{_INDEX[kinds[x]]}]" for x in layout.arrays if x in read and kinds[x] in level]
        return loads + [f"{s.names[0]} = {writer.write(s.expr)}" for s in steps if kinds[s.names[0]] in level]

    height, width = "height" if shape[0] else "1", "width" if shape[1] else "1"
    before: list[str] = []
    element: list[str] = []
    after_line: list[str] = []
    after_matrix: list[str] = []
    after: list[str] = []
    for j, r in reductions:
        parts = _reduction(writer, j, r, height, width)
        for target, part in zip((before, element, after_line, after_matrix, after), parts, strict=True):
            target.extend(part)
    element = [*element, *(f"p__{slot}[{_INDEX[shape]}] = {local(new)}" for slot, new in writes.items())]
    return [
        *before,
        "for b in range(matrices):",
        *indent(1, at_level(((False, False),))),
        f"    for r in range({height}):",
        *indent(2, at_level(((True, False),))),
        f"        for c in range({width}):",
        *indent(3, at_level(((False, True), (True, True)))),
        *indent(3, element),
        *indent(2, after_line),
        *indent(1, after_matrix),
        *after,
    ]


def _element(r: Step) -> n.Expr:
    assert isinstance(r.expr, n.Call)
    return r.expr.args[0]


def _reduction(writer: Writer, j: int, r: Step, height: str, width: str) -> tuple[list[str], ...]:
    """Return the lines of a reduction: before the nest, at an element, after a line, after a matrix, after the nest."""
    assert isinstance(r.expr, n.Call)
    join = fold(r)
    x = f"x_{j}"
    element = [f"{x} = np.float64({writer.write(_element(r))})"]
    if r.word in ("norm", "rms"):
        element.append(f"{x} = {x} * {x}")
    if r.expr.axis == -2:
        joined = f"rows_{j}[r % 16, c] + {x}" if join == "add" else f"maximum(rows_{j}[r % 16, c], {x})"
        return (
            [
                f"rows_{j} = np.full((16, {width}), {'0.0' if join == 'add' else '-math.inf'})",
                f"out_{j} = np.empty({width}, np.float64)",
            ],
            [*element, f"rows_{j}[r % 16, c] = {joined}"],
            [
                f"if r % {BLOCK} == {BLOCK - 1} or r == {height} - 1:",
                f"    {join}_rows(rows_{j}, out_{j}, r < {BLOCK})",
            ],
            [
                f"for c in range({width}):",
                f"    p__{r.names[0]}[{_INDEX[r.kind.rows, r.kind.columns]}] = T({finish(r, f'out_{j}[c]', height)})",
            ],
            [],
        )
    before = [f"line_{j} = np.empty({width}, np.float64)"]
    element.append(f"line_{j}[c] = {x}")
    if r.expr.axis == -1:
        value = finish(r, f"{join}_sequence(line_{j}, {width}, lanes)", width)
        return before, element, [f"p__{r.names[0]}[{_INDEX[r.kind.rows, r.kind.columns]}] = T({value})"], [], []
    before += [f"buffer_{j} = np.empty({BLOCK}, np.float64)", f"filled_{j} = np.zeros(2, np.intp)"]
    target = f"partial, work[item, 5], {j}, lanes"
    flush = f"    partial[work[item, 5] + filled_{j}[1], {j}] = {join}_block(buffer_{j}, 0, filled_{j}[0], lanes)"
    return (
        before,
        element,
        [f"{join}_line(line_{j}, {width}, buffer_{j}, filled_{j}, {target})"],
        [],
        [f"if filled_{j}[0] > 0:", flush],
    )
