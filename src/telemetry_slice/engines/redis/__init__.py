"""Quotas, news and answers shared by several processes, on Valkey or Redis: plain commands and Lua only.

Nothing here is the truth about anything: whatever the server forgets or loses costs exactness for a moment, never an
event. Keys and channels begin with `tslice:`; keys of one script share a hash tag, as a clustered service behind one
address wants it.
"""
