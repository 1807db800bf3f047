# Two commands do all the set-up: `make ship` and `make test`. The rest is for people who change Slipway.
.PHONY: ship up down test lint lock bench environment

ship: environment
	@.venv/bin/slipway ship

up down: environment
	@.venv/bin/slipway $@

environment:
	@scripts/environment

# Makes sure of the engine, the building tools and what else the tests need. Two test processes, files in their order:
# those of the engine take longest and come first, so that no process waits long for the other at the end.
test: environment lint
	@.venv/bin/python -m slipway.host.install chromium fonts-noto-cjk iproute2 e2fsprogs
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile --no-loadscope-reorder $(TESTS)

lint: environment
	@.venv/bin/ruff check .
	@.venv/bin/mypy slipway tasks flows deployments docker/mgeo/mgeo docker/mgeo/training
	@.venv/bin/lint-imports --no-logo 2>/dev/null || .venv/bin/lint-imports

lock: environment
	@scripts/lock

bench: environment
	@.venv/bin/python benchmarks/ship_overhead.py
