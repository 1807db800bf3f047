"""This machine: the engine, the local registry and routers, background programs, disk space."""
