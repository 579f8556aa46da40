"""The card of a fitted population: every parameter, its interval and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping

from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.fitting.estimate import Estimate, assumed
from driftrec.envs.fitting.recipe import FittedUsers
from driftrec.envs.logs.log import InteractionLog

_CALIBRATED = ("intercept", "expectation", "session_requests", "churn")

_FEED = """\
Each event is a video that was shown in the feed, the feedback its click. The log holds a share of
what users were shown, so sessions and gaps are those behind the thinning. It is too thin for
latent factors: features go with topics as far as lasting taste does and are random otherwise, and
the size of taste as a whole is that of another log. It holds nobody's first contact: how users
are lost is assumed."""

_RATINGS = """\
Each event is an item that a user chose and rated, the feedback a like. Users are those who came
back at least once. What was passed over is not in the log: over items that they would not have
chosen, users like less than here and differ more. Taste by topic is the log's, and features go
with topics as far as it does; beyond topics the log is thin: features are its latent factors, and
the size of taste as a whole is that of another log."""


def fitted_card(
    log: InteractionLog, users: Mapping[str, FittedUsers], models: Mapping[str, DriftingUser]
) -> str:
    """A Markdown page: what the log is, what it cannot say, and a table for each group of users.

    Args:
        log: that was fitted.
        users: fitted to each group ("train", "test").
        models: the same after calibration.
    """
    lines = [
        f"# {log.name}: drifting users fitted to {log.num_events:,} events",
        "",
        *(_FEED if log.has_skips else _RATINGS).splitlines(),
        "",
        "All standard deviations are in logits. An interval is 95%; without one, the value is",
        "assumed, for the reason given.",
    ]
    for group, fitted in users.items():
        lines += ["", f"## Users of `{group}`", "", *_table(fitted.parameters, models[group])]
    return "\n".join(lines)


def _table(parameters: Mapping[str, Estimate], model: DriftingUser) -> list[str]:
    rows = {**parameters}
    for name in _CALIBRATED:
        before = f"; {rows[name]} before" if name in rows else ""
        rows[name] = assumed(getattr(model, name), f"calibrated by simulation{before}")
    return [
        "| parameter | value | interval | source |",
        "|-|-|-|-|",
        *(
            f"| `{name}` | {one.value:.3g} | {one.interval} | {one.note} |"
            for name, one in rows.items()
        ),
    ]
