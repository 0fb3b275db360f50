"""Steps, actions, batches, outcomes: how work is ordered, fenced, recorded and proven. Knows nothing of mail."""
