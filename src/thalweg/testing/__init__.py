"""Which rule is this optimizer, and where does it go wrong? For people who write optimizers, and for their test suites.

>>> tw.testing.identify(MyAdam(lr=0.01))
adam[book], equal to the last bit over 100 steps
"""

from thalweg.testing.identity import Difference, Identity
from thalweg.testing.judge import assert_same_rule, identify
from thalweg.testing.mutations import Mutation, mutations
from thalweg.testing.subject import UsageError

__all__ = ["Difference", "Identity", "Mutation", "UsageError", "assert_same_rule", "identify", "mutations"]
