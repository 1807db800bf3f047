"""The ledger: releases, evidence, rollouts, leases and deliveries in one database."""
