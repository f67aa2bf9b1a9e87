"""``renkou bench``: what the hub carries on this machine, measured from outside, with the machine's description.

`course` is the order of the measurements, `load` commits changes, `probes` watches single ones from their commit until
they can be queried, `usage` is what the processes take, `figures` what comes out, `markdown` how it reads.
"""
