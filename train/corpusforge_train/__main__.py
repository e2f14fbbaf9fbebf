"""`python -m corpusforge_train BUILD --config FILE`, which is also what torchrun starts."""

from corpusforge_train.cli import main

raise SystemExit(main())
