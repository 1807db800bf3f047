"""service.yaml: what a service says about itself. The pipeline knows no service by name."""

from __future__ import annotations

from functools import reduce
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slipway.metadata.rules import parse_flavor
from slipway.service.fields import (
    Argv,
    Environment,
    FlavorEntries,
    Globs,
    ImageName,
    Json,
    Name,
    Positive,
    RelativePath,
    TagRules,
    UrlPath,
)


class Part(BaseModel):
    """A frozen part of the file that knows exactly its own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(Part):
    """A closed range of numbers."""

    min: float
    max: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def holds(self, value: float) -> bool:
        return self.min <= value <= self.max


class FieldBand(Band):
    """A number inside a JSON answer: `field` is its path, `results.0.score` for the first of a list."""

    field: str


class Flavour(Part):
    """One way to build the image. `lock` is relative to the service folder; `base` is the name in the
    base.yaml of the image to build on; the budget is for the unpacked image without the model."""

    target: Name
    lock: RelativePath
    base: Name
    size_budget_mb: Positive


class Build(Part):
    """`context` is relative to the repository (empty: the service folder), `dockerfile` to the service folder."""

    context: RelativePath = ""
    dockerfile: RelativePath = "Dockerfile"
    default: Name = Field(description="The flavour that is built when nobody asks for another.")
    flavours: Annotated[dict[Name, Flavour], Field(min_length=1)]

    @model_validator(mode="after")
    def _default_is_a_flavour(self) -> Self:
        if self.default not in self.flavours:
            raise ValueError(f"default is {self.default!r}, the flavours are {', '.join(self.flavours)}")
        return self


class Model(Part):
    """How this checkout makes its model: `train` runs in the service folder, within `budget_s`; `{python}` is the
    pipeline's interpreter, `{output}` the folder to fill. `labelled` is added for a user's own examples, whose file is
    `{labelled}`. What `inputs` match (from the service folder) decides whether an earlier model is still the one."""

    train: Argv
    labelled: Argv | None = None
    inputs: Globs
    budget_s: Positive = 900

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if not any("{output}" in word for word in self.train):
            raise ValueError("train needs {output}: the folder that the model goes to")
        return self

    def command(self, *, python: str, output: str, labelled: str = "") -> tuple[str, ...]:
        """`train` with its placeholders filled in, followed by `labelled` when there are labelled examples."""
        words = (*self.train, *((self.labelled or ()) if labelled else ()))
        filled = {"{python}": python, "{output}": output, "{labelled}": labelled}
        return tuple(reduce(lambda text, pair: text.replace(*pair), filled.items(), word) for word in words)


class SmokeCase(Part):
    """The band that the score of one named case must fall into."""

    name: str
    expect: Band


class Smoke(Part):
    """The command that proves that the image works, and the limits it runs under. Without cases of its own here, the
    bands in the command's results count."""

    command: Argv
    timeout_s: Positive = 120
    gpu: Literal["optional", "required", "never"] = "optional"
    memory_mb: Positive = 2048
    pids: Positive = 256
    cases: tuple[SmokeCase, ...] = ()


class Payload(Part):
    """Request bodies: one item, and many in one request."""

    single: Json
    batch: Json


class Benchmark(Part):
    """The load: POST `path`, `samples` requests at each of `concurrencies` after `warmup` others. A slowdown of more
    than `allowed_regression` (0.1 is 10 %) against the release before is a failure when it is no coincidence."""

    path: UrlPath
    payload: Payload
    concurrencies: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 4, 16)
    samples: Annotated[int, Field(ge=20)] = 300
    warmup: Annotated[int, Field(ge=0)] = 30
    allowed_regression: Annotated[float, Field(ge=0, le=10)] = 0.1


class SizeGate(Part):
    """`blocking: false` reports an image over its flavour's budget without stopping the run."""

    blocking: bool = True


class SmokeGate(Part):
    """The share of cases that must pass."""

    min_success: Annotated[float, Field(gt=0, le=1)] = 1.0


class BenchmarkGate(Part):
    """Absolute limits beside the comparison with the release before; none of them set means none."""

    max_p95_ms: Annotated[float, Field(gt=0)] | None = None
    max_memory_mb: Annotated[float, Field(gt=0)] | None = None
    max_ready_s: Annotated[float, Field(gt=0)] | None = None


class Gates(Part):
    size: SizeGate = SizeGate()
    smoke: SmokeGate = SmokeGate()
    benchmark: BenchmarkGate = BenchmarkGate()


class Check(Part):
    """POST `body` to `path`; the number at `expect.field` must be within its band."""

    path: UrlPath
    body: Json
    expect: FieldBand


class Serving(Part):
    """How the container is served and asked how it is."""

    port: Annotated[int, Field(gt=0, lt=65536)]
    ready: UrlPath = "/ready"
    metrics: UrlPath = "/metrics"
    version: UrlPath = "/version"
    check: Check
    ready_deadline_s: Positive = 60
    memory_mb: Positive = 1024
    environment: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}


class Rollout(Part):
    """How a release comes into one environment. The old slot stays `scale_down_delay_s` for an instant rollback."""

    strategy: Literal["blue_green"] = "blue_green"
    scale_down_delay_s: Annotated[int, Field(ge=0)] = 300
    preview_check: bool = Field(default=True, description="Ask serving.check of the new slot before it gets traffic.")


class Rollouts(Part):
    local: Rollout = Rollout()
    staging: Rollout = Rollout()
    production: Rollout = Rollout()


class ServiceFile(Part):
    """docker/<service>/service.yaml"""

    name: Name
    image: ImageName = Field(description="Repository name without the registry, such as mgeo or geo/mgeo.")
    description: str = ""
    licenses: str = Field(default="", description="An SPDX expression such as Apache-2.0.")
    paths: Globs = Field(
        description="Gitignore-style globs from the repository's root; a change that matches builds the service."
    )
    build: Build
    model: Model | None = None
    tags: TagRules = Field(description="Rules in docker/metadata-action's own syntax: a list, or a block as pasted.")
    flavor: FlavorEntries = Field(default=("latest=false",), description="As docker/metadata-action's flavor input.")
    labels: dict[str, str] = Field(default={}, description="Labels that win over the computed ones.")
    smoke: Smoke
    benchmark: Benchmark
    gates: Gates = Gates()
    serving: Serving
    rollout: Rollouts = Rollouts()
    protected_tags: tuple[str, ...] = Field(
        default=(), description="Shell-style patterns of tags that never move to another digest."
    )


class Service(ServiceFile):
    """A service file and the folder it lies in, relative to the repository (`docker/mgeo`)."""

    folder: str

    @property
    def context(self) -> str:
        """The build context, relative to the repository."""
        return self.build.context or self.folder

    @property
    def label_lines(self) -> tuple[str, ...]:
        """Labels as docker/metadata-action takes them: what the file says of itself, then `labels`, which win."""
        prefix = "org.opencontainers.image."
        own = {"title": self.name, "description": self.description, "licenses": self.licenses}
        described = {prefix + key: value for key, value in own.items() if value}
        return tuple(f"{key}={value}" for key, value in (described | self.labels).items())

    def flavor_lines(self, flavour: str) -> tuple[str, ...]:
        """`flavor`, and `suffix=-<flavour>` for any but the default one, so that flavours never share a tag."""
        if flavour == self.build.default or parse_flavor(self.flavor).suffix:
            return self.flavor
        return (*self.flavor, f"suffix=-{flavour},onlatest=true")

    def rollout_in(self, environment: Environment) -> Rollout:
        found: Rollout = getattr(self.rollout, environment)
        return found
