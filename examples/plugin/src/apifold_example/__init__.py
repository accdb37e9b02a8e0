"""One of everything that a guest can add to apifold."""
