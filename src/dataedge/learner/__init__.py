"""Learning from the train side: classifiers in closed form, n-grams, regression."""
