//! Nothing to link: what must hold of the pair as a whole stands in `tests/tests`, driven by the actors of `deploy`.
