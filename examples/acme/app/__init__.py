"""acme-api, the example backend."""
