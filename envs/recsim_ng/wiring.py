"""How a story's variables depend on each other when an agent outside of it chooses the slates.

One step of the network is one request. In recsim-ng's own story a recommender answers to what
happened before; here the agent's slate is a variable, and the response to it and the reward for it
are values of the same step::

    slate    = documents before[what the agent shows]
    response = user.next_response(user before, slate)
    metrics  = metrics.next_metrics(metrics before, corpus before, user before, response, slate)
    user     = user.next_state(user before, response, slate)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from driftrec.envs.recsim_ng.draws import draws, number_of
from driftrec.envs.recsim_ng.library import library
from driftrec.envs.recsim_ng.story import Cast

AGENT = "agent"
"""What the agent shows, `slate`; what is known of the choice, `given`; and the `seed`."""
CORPUS = "corpus state"
DOCUMENTS = "available docs"
SLATE = "slate docs"
RESPONSE = "user response"
CHANCES = "choice chances"
METRICS = "metrics state"
USER = "user state"
OBSERVATION = "user observation"

Values = Mapping[str, Any]
"""recsim-ng's values, by the name of the variable."""

_Function = Callable[..., Any]


def connect(cast: Cast, choice: str, agent: Any, frozen: Values | None = None) -> Any:
    """The network of a story.

    Args:
        cast: the story's entities.
        choice: the response's field of choices.
        agent: the first value of `AGENT`.
        frozen: values of `CORPUS` and `DOCUMENTS`, where they never change.
    """
    user, corpus, metrics = cast.user, cast.documents, cast.metrics
    story = _Story(cast)
    story.hold(AGENT, agent)
    if frozen is None:
        evolve = _seeded(CORPUS, corpus.next_state)
        begin = _seeded(CORPUS, corpus.initial_state)
        story.wire(CORPUS, evolve, [f"< {CORPUS}", RESPONSE, SLATE], begin)
        story.wire(DOCUMENTS, _seeded(DOCUMENTS, corpus.available_documents), [CORPUS])
    else:
        story.hold(CORPUS, frozen[CORPUS])
        story.hold(DOCUMENTS, frozen[DOCUMENTS])
    asked = [f"< {USER}", SLATE]
    story.wire(SLATE, _shown, [f"< {DOCUMENTS}"])
    story.wire(RESPONSE, _response(user.next_response, choice), asked)
    story.wire(CHANCES, _chances(user.next_response, choice), asked)
    begin = _seeded(USER, user.initial_state)
    story.wire(USER, _seeded(USER, user.next_state), [f"< {USER}", RESPONSE, SLATE], begin)
    if "observation" in story.of_user:
        story.wire(OBSERVATION, _seeded(OBSERVATION, user.observation), [USER])
    if metrics is not None:
        before = [f"< {METRICS}", f"< {CORPUS}", f"< {USER}", RESPONSE, SLATE]
        begin = _seeded(METRICS, metrics.initial_metrics)
        story.wire(METRICS, _seeded(METRICS, metrics.next_metrics), before, begin)
    return library().Network(list(story.variables.values()))


class _Story:
    """The variables of a network, as they are wired."""

    def __init__(self, cast: Cast) -> None:
        self.of_user, of_corpus = _parts(cast.user.specs()), _parts(cast.documents.specs())
        nothing = library().Value()
        documents = of_corpus.get("available_docs", nothing)
        specs = {
            AGENT: _free("slate", "given", "seed"),
            CORPUS: of_corpus.get("state", nothing),
            DOCUMENTS: documents,
            SLATE: _free(*documents.as_dict, "doc_ranks"),
            RESPONSE: self.of_user.get("response", nothing),
            CHANCES: _free("log_probability"),
            USER: self.of_user.get("state", nothing),
        }
        if "observation" in self.of_user:
            specs[OBSERVATION] = self.of_user["observation"]
        if cast.metrics is not None:
            specs[METRICS] = _parts(cast.metrics.specs()).get("state", nothing)
        self.variables = {name: library().Variable(name, spec) for name, spec in specs.items()}

    def hold(self, name: str, value: Any) -> None:
        """Let a variable keep a value, unless the network is told of another."""
        self.variables[name].initial_value = library().define(lambda: value)

    def wire(
        self, name: str, function: _Function, needs: list[str], begin: _Function | None = None
    ) -> None:
        """Define a variable by others of this step, and of the step before ("< name").

        Args:
            name: of the variable.
            function: of the agent's value and those of `needs`.
            needs: names of variables.
            begin: makes the first value of the agent's alone; else `function` makes it of the first
                values of `needs`.
        """
        define, agent = library().define, self.variables[AGENT]
        first = [self.variables[need.removeprefix("< ")] for need in needs]
        later = [
            self.variables[need.removeprefix("< ")].previous
            if need.startswith("< ")
            else self.variables[need]
            for need in needs
        ]
        variable = self.variables[name]
        variable.initial_value = define(begin or function, (agent, *([] if begin else first)))
        variable.value = define(function, (agent, *later))


def _parts(spec: Any) -> dict[str, Any]:
    """The parts of an entity's spec by name, but for those without a field."""
    return {name: spec.get(name) for name in {field.partition(".")[0] for field in spec.as_dict}}


def _free(*fields: str) -> Any:
    return library().Value(**{name: library().FieldSpec() for name in fields})


def _seeded(name: str, function: _Function) -> _Function:
    """An entity's function as one of the agent's value too, which draws by the agent's seed."""

    def drawn(agent: Any, *values: Any) -> Any:
        with draws(agent.get("seed"), name):
            return function(*values)

    return drawn


def _shown(agent: Any, documents: Any) -> Any:
    """The documents that the agent shows, each field `(users, slate, ...)`."""
    tf, slate = library().tf, agent.get("slate")
    shown = documents.map(lambda values: tf.gather(values, slate))
    return shown.union(library().Value(doc_ranks=slate))


def _response(function: _Function, choice: str) -> _Function:
    """The user's response, with the choice that is given where one is."""

    def respond(agent: Any, user: Any, slate: Any) -> Any:
        with draws(agent.get("seed"), RESPONSE) as made:
            response = function(user, slate)
        number = number_of(_choice_of(response, choice), made)
        if number is None:
            return response
        # Whatever follows from the choice follows from the one that is given.
        with draws(agent.get("seed"), RESPONSE, number, agent.get("given")):
            return function(user, slate)

    return respond


def _chances(function: _Function, choice: str) -> _Function:
    """Log-probabilities of the choices, `(users, slate + 1)`; no columns if they are not known."""

    def look(agent: Any, user: Any, slate: Any) -> Any:
        tf = library().tf
        with draws(agent.get("seed"), RESPONSE) as made:
            variable = _choice_of(function(user, slate), choice)
        users, slots = agent.get("slate").shape
        if number_of(variable, made) is None:
            return library().Value(log_probability=tf.zeros((users, 0)))
        logits = variable.distribution.logits_parameter()[:, : slots + 1]
        # Where a user always chooses, to choose nothing has no chance.
        none = tf.fill((users, slots + 1 - logits.shape[1]), -math.inf)
        return library().Value(log_probability=tf.nn.log_softmax(tf.concat([logits, none], 1)))

    return look


def _choice_of(response: Any, choice: str) -> Any:
    if choice not in response.as_dict:
        raise ValueError(
            f"the user's response must have a field {choice!r} (the story's choice), "
            f"got {sorted(response.as_dict)}"
        )
    return response.get(choice)
