"""Recommenders that a practitioner would try, trained on logs and updated with each click.

LensKit, implicit, scikit-learn and torch are imported when something is fitted or made that needs
them, not with the module.
"""

from driftrec.agents.recommenders.methods import METHODS

__all__ = ["METHODS"]
