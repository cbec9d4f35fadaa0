#!/usr/bin/env python3
"""Stops the ext4 at DIR as a power cut would: what the disk does not have yet, it never gets.

Says one byte when it is ready, and acts on one byte. Usage: cut_power.py DIR
"""

import fcntl
import os
import struct
import sys

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2

disk = os.open(sys.argv[1], os.O_RDONLY)
os.write(1, b"r")
os.read(0, 1)
fcntl.ioctl(disk, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
