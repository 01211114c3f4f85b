"""Networks, one file each, behind one contract: `loss` and `transcribe`."""
