"""Long tables of tests are sampled in the usual run; `make test-all` takes every row."""

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# One row in so many of each parametrised test of these files: tables over rules, conventions, dtypes and libraries,
# whose rows take long or are very many.
SAMPLED = {
    "book/test_input.py": 2,
    "minimize/test_scipy_method.py": 4,
    "engine/test_gate.py": 2,
    "engine/test_threads.py": 2,
    "optimizer/test_nonfinite.py": 2,
    "optimizer/test_input_containers.py": 2,
    "book/test_training.py": 2,
    "cli/test_signals.py": 4,
    "lab/test_pool.py": 2,
    "testing/test_command.py": 6,
    "state/test_damage.py": 4,
    "rules/test_mutants.py": 24,
    "rules/test_book.py": 2,
    "testing/test_assert_same_rule.py": 8,
    "rules/test_oracles.py": 64,
    "rules/test_elsewhere.py": 12,
    "cli/test_show.py": 10,
    "quasi_newton/test_against_torch.py": 4,
    "quasi_newton/test_all_or_nothing.py": 3,
    "quasi_newton/test_checkpoints.py": 2,
    "rules/test_matrices.py": 6,
    "rules/test_matrix_shapes.py": 6,
    "rules/test_matrix_steps.py": 6,
    "rules/test_recorded.py": 64,
    "engine/test_halves.py": 2,
    "kernels/test_compilation.py": 60,
    "kernels/test_equal_bits.py": 40,
    "kernels/test_halves.py": 48,
    "kernels/test_histories.py": 18,
    "kernels/test_machine_code.py": 32,
    "kernels/test_threads.py": 20,
    "optimizer/test_all_or_nothing.py": 6,
    "optimizer/test_every_number.py": 10,
    "optimizer/test_hyperparams.py": 8,
    "optimizer/test_input_arrays.py": 18,
    "optimizer/test_input_halves.py": 6,
    "optimizer/test_update.py": 6,
    "processes/test_ctrl_c.py": 12,
    "processes/test_every_instruction.py": 4,
    "processes/test_forks.py": 4,
    "processes/test_interrupted_acts.py": 6,
    "processes/test_pools.py": 6,
    "language/test_conventions.py": 1,
    "minimize/test_minimize.py": 6,
    "rules/test_hyperparameters.py": 16,
    "rules/test_identities.py": 32,
    "rules/test_relatives.py": 32,
    "rules/test_step_bounds.py": 32,
    "rules/test_keras.py": 3,
    "rules/test_optax.py": 3,
    "rules/test_torch.py": 2,
    "schedules/test_against_optax.py": 7,
    "schedules/test_plateau.py": 3,
    "schedules/test_against_torch.py": 2,
    "state/test_copies.py": 3,
    "state/test_resume.py": 20,
    "testing/test_identify.py": 40,
    "testing/test_mutations.py": 16,
    "testing/test_slips.py": 16,
    "transforms/test_against_keras.py": 10,
    "transforms/test_against_optax.py": 14,
    "transforms/test_against_torch.py": 10,
    "transforms/test_around_later_rules.py": 3,
    "transforms/test_equal_bits.py": 8,
    "transforms/test_pairs.py": 6,
    "transforms/test_passes.py": 8,
}


# Rules that came after the classic six: of their rows in these files, one in so many of those that are left.
LATER = 20
CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    rows: Counter[tuple[str, bool]] = Counter()
    for item in items:
        every = SAMPLED.get(item.path.relative_to(ROOT).as_posix()) if item.path.is_relative_to(ROOT) else None
        if every is None or not hasattr(item, "callspec") or item.get_closest_marker("slow"):
            continue
        later = _is_of_a_later_rule(item.callspec.params.values())
        name = item.nodeid.partition("[")[0], later
        if rows[name] % (every * LATER if later else every):
            item.add_marker(pytest.mark.slow)
        rows[name] += 1


def _is_of_a_later_rule(params):
    from thalweg.rules import FAMILIES

    names = [getattr(x, "name", x) for x in params]
    found = [x.partition("[")[0].partition("-")[0] for x in names if isinstance(x, str)]
    return any(x in FAMILIES and x not in CLASSIC for x in found)
