"""Long work that lasts: it survives the death of any process, is not done twice, and is seen from everywhere.

`job` has the words and needs nothing; `jobs` (everybody's view) and `runner` (the doing) need DBOS, which the extra
`jobs` brings.
"""
