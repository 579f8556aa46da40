"""A story of one's own in recsim-ng's classes: users who rate what they watch, and tire of it."""

import edward2 as ed
import gin
import numpy as np
import tensorflow as tf
from gym import spaces
from recsim_ng.core.value import Value, ValueSpec
from recsim_ng.entities.choice_models.selectors import (
    IteratedMultinomialLogitChoiceModel,
    MultinomialLogitChoiceModel,
    get_chosen,
)
from recsim_ng.entities.recommendation import corpus, metrics, user
from recsim_ng.lib.tensorflow.field_spec import Space


def anything(*shape):
    return Space(spaces.Box(-np.inf, np.inf, shape))


@gin.configurable
class TiringUser(user.User):
    """Users choose what they like, unless they are tired, and rate what they chose."""

    def __init__(self, config, rest=0.8, no_click=0.0):
        super().__init__(config)
        self._rest = rest
        self._choice = MultinomialLogitChoiceModel(
            (self._num_users,), no_click * tf.ones(self._num_users)
        )

    def initial_state(self):
        users = self._num_users
        return Value(
            taste=ed.Normal(tf.zeros((users, self._num_topics)), 1.0),
            tired=ed.Deterministic(tf.zeros(users)),
            on_phone=ed.Bernoulli(probs=0.5 * tf.ones(users)),
        )

    def observation(self, user_state):
        return Value(on_phone=ed.Deterministic(user_state.get("on_phone")))

    def next_response(self, previous_state, slate_docs):
        taste = previous_state.get("taste")
        liking = tf.einsum("ut,ust->us", taste, slate_docs.get("doc_features"))
        choice = self._choice.choice(liking - previous_state.get("tired")[:, None])
        chosen = get_chosen(Value(liking=liking), choice.get("choice"), nochoice_value=0)
        return choice.union(Value(rating=ed.Normal(chosen.get("liking"), 0.5)))

    def next_state(self, previous_state, user_response, slate_docs):
        slate = slate_docs.get("doc_features").shape[1]
        watched = tf.cast(user_response.get("choice") < slate, tf.float32)
        return Value(
            taste=ed.Normal(previous_state.get("taste"), 0.05),
            tired=ed.Deterministic(self._rest * previous_state.get("tired") + watched),
            on_phone=ed.Deterministic(previous_state.get("on_phone")),
        )

    def specs(self):
        users = self._num_users
        state = ValueSpec(
            taste=anything(users, self._num_topics), tired=anything(users), on_phone=anything(users)
        )
        response = ValueSpec(rating=anything(users)).union(self._choice.specs())
        return (
            state.prefixed_with("state")
            .union(ValueSpec(on_phone=anything(users)).prefixed_with("observation"))
            .union(response.prefixed_with("response"))
        )


class Shelf(corpus.Corpus):
    """Documents that stay as they are."""

    def initial_state(self):
        features = ed.Normal(tf.zeros((self._num_docs, self._num_topics)), 1.0)
        return Value(doc_features=features)

    def next_state(self, previous_state, user_response, slate_docs):
        return previous_state

    def available_documents(self, corpus_state):
        return corpus_state.map(ed.Deterministic)

    def specs(self):
        documents = ValueSpec(doc_features=anything(self._num_docs, self._num_topics))
        return documents.prefixed_with("state").union(documents.prefixed_with("available_docs"))


class Ratings(metrics.RecsMetricsBase):
    """The reward is the rating of what was chosen."""

    def initial_metrics(self):
        return Value(reward=ed.Deterministic(tf.zeros(self._num_users)))

    def next_metrics(self, previous_metrics, corpus_state, user_state, user_response, slate_docs):
        slate = slate_docs.get("doc_features").shape[1]
        chosen = tf.cast(user_response.get("choice") < slate, tf.float32)
        return Value(reward=ed.Deterministic(chosen * user_response.get("rating")))

    def specs(self):
        return ValueSpec(reward=anything(self._num_users)).prefixed_with("state")


@gin.configurable
class StubbornChoice(MultinomialLogitChoiceModel):
    """A choice model of users who hardly ever choose anything."""

    def __init__(self, batch_shape, nochoice_logits, stubbornness=9.0):
        super().__init__(batch_shape, nochoice_logits + stubbornness)


class GreedyUser(TiringUser):
    """Users who take two of what there is: documents, or none."""

    def __init__(self, config):
        super().__init__(config)
        users = self._num_users
        self._choice = IteratedMultinomialLogitChoiceModel(2, (users,), tf.zeros(users))

    def next_response(self, previous_state, slate_docs):
        taste = previous_state.get("taste")
        liking = tf.einsum("ut,ust->us", taste, slate_docs.get("doc_features"))
        rating = Value(rating=ed.Normal(tf.reduce_max(liking, axis=1), 0.5))
        return self._choice.choice(liking).union(rating)

    def next_state(self, previous_state, user_response, slate_docs):
        return previous_state.map(ed.Deterministic)
