"""What the tests share: servers, the agent binary, one case's tools."""
