"""dataedge: does a dataset give a real edge over a base model?"""
