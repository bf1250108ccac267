"""Auditing a deployment from an RPC address and the blobs alone: nobody's word is asked, the market's database never.

`facts` holds what the chain says, `evidence`, `judgement` and `money` compare it with what the rules give (pure),
`reader`, `blobs`, `replay` and `deployment` do the reading, the running and the compiling, `audit` puts them together.
"""
