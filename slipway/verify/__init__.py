"""Is this image fit to serve, and how fast is it: smoke, diagnosis, load, statistics, report."""
