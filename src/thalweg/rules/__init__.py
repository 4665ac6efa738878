"""The papers: every rule of thalweg by name. A family is imported when one of its names is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from thalweg.rule import Rule

# Class of a rule -> the family (module) that holds it; a rule's name is that of its class in small letters. This is the
# one list: classes, stubs, tests and the command line follow from it, and a test compares it with the modules.
CLASSES = {
    "SGD": "descent",
    "Momentum": "descent",
    "Nesterov": "descent",
    "AdaGrad": "adaptive",
    "RMSprop": "adaptive",
    "Adam": "adam",
    "AggMo": "momenta",
    "QHM": "momenta",
    "ASGD": "momenta",
    "SignSGD": "signs",
    "Signum": "signs",
    "Lion": "signs",
    "Tiger": "signs",
    "Rprop": "signs",
    "AdaDelta": "accumulated",
    "MADGRAD": "accumulated",
    "FTRL": "accumulated",
    "AdamW": "adamw",
    "AdaMax": "adam_forms",
    "NAdam": "adam_forms",
    "AMSGrad": "adam_forms",
    "RAdam": "adam_forms",
    "AdaBelief": "adam_rates",
    "Yogi": "adam_rates",
    "AdaBound": "adam_rates",
    "AdaMod": "adam_rates",
    "Padam": "adam_rates",
    "DiffGrad": "adam_rates",
    "QHAdam": "adam_recent",
    "LaProp": "adam_recent",
    "ADOPT": "adam_recent",
    "AdEMAMix": "adam_recent",
    "Adan": "adam_recent",
    "Grams": "adam_recent",
    "AdamAtan2": "adam_recent",
    "StableAdamW": "adam_recent",
    "MARS": "mars",
    "LARS": "layerwise",
    "LAMB": "layerwise",
    "NovoGrad": "layerwise",
    "Fromage": "layerwise",
    "Adafactor": "factored",
    "SM3": "factored",
    "DAdaptSGD": "distance",
    "DAdaptAdam": "distance",
    "Prodigy": "distance",
    "DoG": "distance",
    "DoWG": "distance",
    "PolyakSGD": "distance",
    "ScheduleFreeSGD": "schedule_free",
    "ScheduleFreeAdamW": "schedule_free",
    "Muon": "muon",
    "Shampoo": "shampoo",
    "SOAP": "soap",
    "Sophia": "curvature",
}
FAMILIES = {title.lower(): family for title, family in CLASSES.items()}


class Registry(Mapping[str, Rule]):
    """Rules by name, each in its default convention; `RULES["adam"].conventions["torch"]` is another form of it."""

    def __getitem__(self, name: str) -> Rule:
        if name not in FAMILIES:
            raise KeyError(f"there is no rule {name!r}; there are: {', '.join(FAMILIES)}")
        found = vars(import_module(f"thalweg.rules.{FAMILIES[name]}"))[name]
        assert isinstance(found, Rule)
        return found.family.get(None)

    def __iter__(self) -> Iterator[str]:
        return iter(FAMILIES)

    def __len__(self) -> int:
        return len(FAMILIES)

    def __contains__(self, name: object) -> bool:
        return name in FAMILIES

    def __repr__(self) -> str:
        return f"<{len(self)} rules: {', '.join(self)}>"


RULES = Registry()
