"""The main job of `make run`: 1,797 images of digits, five devices, three verifiers, one buyer, everything real.

`cast` who takes part, `stage` the deployment and everybody's stake, `services` the processes, `work` the inputs and
the reference, `measure` what happened (from the chain and blobs alone), `summary` what is written and when the run
has failed, `report` what is printed, `reorg` what the chain loses in between (PROFILE=testnet), `play` the order of
it all.
"""
