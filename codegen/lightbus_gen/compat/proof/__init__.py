"""Evidence for a finding: the closed and open contracts, a second opinion, a payload that proves it."""
