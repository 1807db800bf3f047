"""Train: a new model version of a service, evaluated; shipped afterwards when an environment is named."""

from __future__ import annotations

from prefect import flow

from tasks.hooks import reap
from tasks.host import tidy
from tasks.model import report_model, ship_model, train_model
from tasks.source import check_out, plan_service
from tasks.turns import my_turn


@flow(name="train", flow_run_name="train {service} at {ref}", on_cancellation=[reap], on_crashed=[reap])
def train(
    service: str,
    repository: str = ".",
    ref: str = "HEAD",
    labelled: str = "",
    environment: str = "",
) -> str:
    """Make a new model version from a revision's training code; its name.

    Args:
        service: The service whose model is made.
        repository: Any git URL, or a folder on the worker's machine.
        ref: Branch, tag or commit with the training code.
        labelled: A file of your own labelled examples on the worker's machine.
        environment: Ship the new version there; empty: only train.
    """
    with tidy():
        checkout = check_out(repository, ref)
        build = plan_service(checkout, service)
        with my_turn():  # a training beside a benchmark would spoil its figures
            model = train_model(build, labelled)
        report_model(build, model)
        if environment:
            ship_model(build, model, environment)
        return model.version
