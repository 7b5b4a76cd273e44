"""Evidence for a finding: contracts of both versions, a second opinion, a payload that proves it."""
