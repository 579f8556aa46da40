"""A training run of RL² on a curriculum of users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from driftrec.envs import Population
from driftrec.meta.checkpoint import read_checkpoint, reading, write_checkpoint
from driftrec.meta.gathering import gather
from driftrec.meta.generation.curriculum_config import CurriculumConfig
from driftrec.meta.generation.gan import train_generator
from driftrec.meta.generation.generated_users import fitted_vectors, with_training_users
from driftrec.meta.generation.regret import RegretMeter
from driftrec.meta.generation.sources import FiniteSource, MixtureSource, VectorSource
from driftrec.meta.generation.tilt import RegretModel, TiltedSource
from driftrec.meta.network import ActorCritic
from driftrec.meta.never_lost import never_lost
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.workers import Worker

KIND = "regret-history"


class CurriculumRun(RL2Run):
    """A run of RL² whose training users come from a mixture that follows its regret.

    Every worker trains the same generator and makes the same proposals: regret is measured by each
    on a part of the users, and made known to all.

    Attributes:
        history: vectors and regret of the users of the latest rounds, `(users, size + 1)` each.
        proposal: where the adversary's users come from, once regret was measured.
    """

    kind = "curriculum-training"
    network: ActorCritic
    config: CurriculumConfig

    def __init__(self, worker: Worker, config: CurriculumConfig, population: Population) -> None:
        vectors = fitted_vectors(population, config.fitted_users, config.seed)
        super().__init__(worker, config, population)
        self.fitted = FiniteSource(vectors)
        generates = config.fitted_share < 1
        self.generator = train_generator(vectors, config.gan, config.seed) if generates else None
        self.meter = RegretMeter(population, config.reference, config.reward)
        self.history: list[np.ndarray] = []
        self.proposal: TiltedSource | None = None
        self._meet()

    @property
    def source(self) -> VectorSource:
        """Where training users come from now."""
        if self.generator is None:
            return self.fitted
        proposed: VectorSource = self.proposal or self.generator
        sources: list[VectorSource] = [self.fitted, self.generator, proposed]
        return MixtureSource(sources, self.config.shares)

    def _meet(self) -> None:
        users = with_training_users(self.population, self.source)
        users = never_lost(users) if self.config.expected_rewards else users
        self.env = self.environment(users, "train", self.config.users // self.worker.count)

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Now and then propose other users; then an update of RL²."""
        due = self.iteration > 0 and self.iteration % self.config.refresh_every == 0
        report = self._propose(seed) if due and self.config.adversarial_share else {}
        return super().update(seed, rate) | report

    def _propose(self, seed: int) -> dict[str, float]:
        """Measure regret, and tilt the generator towards users on whom it is high."""
        generator, config = self.generator, self.config
        assert generator is not None
        users = config.regret_users // (2 * self.worker.count)
        policy = self.policy(self.network)
        rounds = [
            gather(self.worker, np.column_stack(self.meter.measure(policy, source, users, number)))
            for number, source in ((seed, generator), (seed + 1, self.proposal or generator))
        ]
        newest = np.concatenate(rounds)
        foreseen = self._foreseen(newest)
        self.history = [*self.history, newest][-config.regret_rounds :]
        self._tilt()
        assert self.proposal is not None
        return {
            "regret_generated": float(rounds[0][:, -1].mean()),
            "regret_proposed": float(rounds[1][:, -1].mean()),
            "regret_foreseen": foreseen,
            "proposal_kl": self.proposal.kl,
        }

    def _foreseen(self, newest: np.ndarray) -> float:
        """Correlation of the regret that the proposal went by with that now measured; 0 at first.

        It says how much of the regret is in who the users are, and how far it has moved on.
        """
        if self.proposal is None:
            return 0.0
        predicted = self.proposal.regret.predict(newest[:, :-1])
        spread = predicted.std() * newest[:, -1].std()
        if not spread:
            return 0.0
        return float(np.corrcoef(predicted, newest[:, -1])[0, 1])

    def _tilt(self) -> None:
        """Propose by the regrets of the history."""
        assert self.generator is not None
        known, seed = np.concatenate(self.history), self.config.seed
        model = RegretModel(
            self.generator.standardiser, known[:, :-1], known[:, -1], self.config.tilt, seed
        )
        self.proposal = TiltedSource(self.generator, model, self.config.tilt, seed)
        self._meet()

    def save(self, folder: Path) -> None:
        """As `TrainingRun.save`, with the generator and the regrets that proposals go by."""
        # Under a name of its own, so that it belongs to the weights that are written next.
        tensors = {str(place): torch.from_numpy(one) for place, one in enumerate(self.history)}
        write_checkpoint(self._history_path(folder), KIND, tensors, {})
        if self.generator is not None:
            self.generator.save(folder / "generator.safetensors")
        super().save(folder)
        for other in folder.glob("regret-*.safetensors"):
            if other != self._history_path(folder):
                other.unlink()

    def restore(self, path: Path) -> None:
        """As `TrainingRun.restore`; proposals are made anew from the regrets."""
        super().restore(path)
        history = self._history_path(path.parent)
        tensors, _ = read_checkpoint(history, KIND)
        with reading(history, "regrets by number"):
            self.history = [tensors[name].numpy() for name in sorted(tensors, key=int)]
        if self.history:
            self._tilt()

    def _history_path(self, folder: Path) -> Path:
        return folder / f"regret-{self.iteration}.safetensors"
