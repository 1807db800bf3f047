"""Where and when: environments, triggers, and the programs that keep an installation running."""
