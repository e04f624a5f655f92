"""How fast meta-gradients are, beside other libraries': ``-m metatutor.benchmark``."""
