"""Webhook deliveries, judged without touching anything: bytes, headers, secrets and a clock in; one verdict out."""
